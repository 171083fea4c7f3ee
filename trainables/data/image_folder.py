"""Images in one folder a class, with or without masks."""

from pathlib import Path, PurePosixPath

from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

from trainables.config import ConfigError, ImageFolder
from trainables.data.dataset import DataBundle
from trainables.data.folders import Folders, check_forms
from trainables.data.image_file import ImageFile, image_ids
from trainables.data.image_files import image_bundle
from trainables.data.image_list import ImageList
from trainables.data.mask_names import MaskNames
from trainables.data.mask_rules import mask_format


def build_image_folder(config: ImageFolder) -> DataBundle:
    """Read the folders of `config`, which must hold the same classes; a single held-out one is the test set."""
    held_out = [name for name in (config.val, config.test) if name is not None]
    folders = [Path(config.root, name) for name in (config.train, *held_out)]
    names = class_names_in(folders[0], section="data")
    for folder in folders[1:]:
        _check_same(folders[0], names, folder, class_names_in(folder, section="data"))
    labels = {name: label for label, name in enumerate(names)}

    train, *val, test = (_image_list(config, folder, labels) for folder in folders)
    if config.masks is not None and not any(image.mask_path for image in train.files):
        raise ConfigError(
            f"data.masks: none of the {len(train.files)} images in {folders[0]} has a mask; looked for "
            f"{_mask_names(config).wanted(_relative(train.files[0], config))} and the like"
        )
    return image_bundle(
        config,
        train=train,
        val=val[0] if val else None,
        test=test,
        class_names=names,
        mask_format=mask_format(config.masks),
    )


def _check_same(first: Path, names: tuple[str, ...], second: Path, others: tuple[str, ...]) -> None:
    check_forms(f"{first} and {second}", {*names, *others}, setting="data")
    if names != others:
        raise ConfigError(
            f"data: {first} and {second} must hold the same classes; "
            f"only the first has {_listing(names, others)}, only the second has {_listing(others, names)}"
        )


def _image_list(config: ImageFolder, folder: Path, labels: dict[str, int]) -> ImageList:
    images = find_images(folder, labels, section="data")
    if config.masks is None:
        return ImageList(images, folder)
    names, value = _mask_names(config), getattr(config.masks, "value", None)
    if config.masks.folder is None:
        images = [image for image in images if not names.is_mask(_relative(image, config))]
    masked = [image._replace(mask_path=names.path(_relative(image, config)), mask_value=value) for image in images]
    return ImageList(masked, Path(config.root))


def _mask_names(config: ImageFolder) -> MaskNames:
    assert config.masks is not None, "the caller has asked"
    return MaskNames(Path(config.root), Path(config.root), config.masks, Folders())


def _relative(image: ImageFile, config: ImageFolder) -> PurePosixPath:
    return PurePosixPath(image.path.relative_to(config.root))


def class_names_in(folder: Path, *, section: str) -> tuple[str, ...]:
    """Return the sorted names of the folders in `folder`; ConfigError where there are none."""
    try:
        names = tuple(find_classes(folder)[0])
    except OSError as error:
        raise ConfigError(f"{section}: {folder} should be a folder that holds one folder for each class") from error
    unreadable = [name for name in names if not _is_unicode(name)]
    if unreadable:
        raise ConfigError(f"{section}: {folder} has classes whose names are not UTF-8: {unreadable!a}; rename them")
    check_forms(folder, names, setting=section)
    return names


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def find_images(folder: Path, labels: dict[str, int], *, section: str) -> list[ImageFile]:
    """Return the images below `folder/<class>` with the labels of their classes; ConfigError where a class has none."""
    try:
        listed = make_dataset(folder, labels, extensions=IMG_EXTENSIONS)
    except FileNotFoundError as error:
        raise ConfigError(f"{section}: {folder}: {error}") from error
    paths = [Path(path) for path, _ in listed]
    ids = image_ids(path.relative_to(folder) for path in paths)
    return [ImageFile(path, None, label, id_) for path, (_, label), id_ in zip(paths, listed, ids, strict=True)]


def _listing(names: tuple[str, ...], other: tuple[str, ...]) -> str:
    return ", ".join(sorted(set(names) - set(other))) or "nothing"
