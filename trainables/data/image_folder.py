"""Images in one folder a class, without masks."""

from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

from trainables.config import ConfigError, ImageFolder, LabelledFolder
from trainables.data.dataset import DataBundle
from trainables.data.image_cache import ImageCache, cache_of
from trainables.data.image_file import ImageFile, image_ids
from trainables.data.image_files import ImageFiles
from trainables.data.labels import training_labels
from trainables.data.transforms import Transform, evaluation_transform, training_transform


def build_image_folder(config: ImageFolder) -> DataBundle:
    """Read `<root>/<train>/<class>` and `<root>/<val>/<class>`; both must hold the same classes."""
    train_folder, val_folder = Path(config.root, config.train), Path(config.root, config.val)
    names = _class_names(train_folder, section="data")
    val_names = _class_names(val_folder, section="data")
    if names != val_names:
        raise ConfigError(
            f"data: {train_folder} and {val_folder} must hold the same classes; "
            f"only the first has {_listing(names, val_names)}, only the second has {_listing(val_names, names)}"
        )
    labels = {name: label for label, name in enumerate(names)}

    def image_files(folder: Path, transform: Transform) -> ImageFiles:
        return ImageFiles(
            _find_images(folder, labels, section="data"),
            class_names=names,
            root=folder,
            image_size=config.image_size,
            transform=transform,
            on_error=config.on_error,
            cache=cache_of(config),
        )

    return DataBundle(
        train=image_files(train_folder, training_transform(config.image_size, config.augmentation)),
        val=image_files(val_folder, evaluation_transform(config.image_size)),
        train_unaugmented=image_files(train_folder, evaluation_transform(config.image_size)),
        class_names=names,
        config=config,
    )


def build_labelled_folder(
    config: LabelledFolder,
    *,
    class_names: tuple[str, ...],
    image_size: int,
    section: str,
    cache: ImageCache | None = None,
) -> ImageFiles:
    """Read `<root>/<class>` as a shifted test set; each class must be one of `class_names`."""
    folder = Path(config.root)
    labels = training_labels(_class_names(folder, section=section), class_names, section=section)
    return ImageFiles(
        _find_images(folder, labels, section=section),
        class_names=class_names,
        root=folder,
        image_size=image_size,
        transform=evaluation_transform(image_size),
        on_error=config.on_error,
        section=section,
        cache=cache,
    )


def _class_names(folder: Path, *, section: str) -> tuple[str, ...]:
    try:
        names = tuple(find_classes(folder)[0])
    except OSError as error:
        raise ConfigError(f"{section}: {folder} is no folder that holds one folder a class") from error
    unreadable = [name for name in names if not _is_unicode(name)]
    if unreadable:
        raise ConfigError(f"{section}: {folder} has classes whose names are not UTF-8: {unreadable!a}; rename them")
    return names


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _find_images(folder: Path, labels: dict[str, int], *, section: str) -> list[ImageFile]:
    try:
        found = make_dataset(folder, labels, extensions=IMG_EXTENSIONS)
    except FileNotFoundError as error:
        raise ConfigError(f"{section}: {folder}: {error}") from error
    paths = [Path(path) for path, _ in found]
    ids = image_ids(path.relative_to(folder) for path in paths)
    return [ImageFile(path, None, label, id_) for path, (_, label), id_ in zip(paths, found, ids, strict=True)]


def _listing(names: tuple[str, ...], other: tuple[str, ...]) -> str:
    return ", ".join(sorted(set(names) - set(other))) or "nothing"
