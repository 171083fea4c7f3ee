"""Images in one folder a class, with or without masks."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from trainables.config import ConfigError, ImageFolder
from trainables.data.dataset import DataBundle
from trainables.data.folder_walk import FolderWalk
from trainables.data.folders import Folders
from trainables.data.image_file import ImageFile, image_ids
from trainables.data.image_files import image_bundle
from trainables.data.image_list import ImageList
from trainables.data.image_names import IMAGE_ENDINGS, composed, is_hidden, is_image
from trainables.data.masks.names import MaskNames
from trainables.data.masks.rules import mask_format


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
    if set(names) != set(others):
        raise ConfigError(
            f"data: {first} and {second} must hold the same classes; "
            f"only the first has {_listing(names, others)}, only the second has {_listing(others, names)}"
        )


def _image_list(config: ImageFolder, folder: Path, labels: dict[str, int]) -> ImageList:
    images = find_images(folder, labels, section="data")
    if config.masks is None:
        return images
    names, value, files = _mask_names(config), getattr(config.masks, "value", None), list(images.files)
    if config.masks.folder is None:
        files = [image for image in files if not names.is_mask(_relative(image, config))]
    masked = [image._replace(mask_path=names.path(_relative(image, config)), mask_value=value) for image in files]
    return replace(images, files=masked, root=Path(config.root))


def _mask_names(config: ImageFolder) -> MaskNames:
    assert config.masks is not None, "the caller has asked"
    return MaskNames(Path(config.root), Path(config.root), config.masks, Folders())


def _relative(image: ImageFile, config: ImageFolder) -> PurePosixPath:
    return PurePosixPath(image.path.relative_to(config.root))


def class_names_in(folder: Path, *, section: str) -> tuple[str, ...]:
    """Return the classes of the folders in `folder`; ConfigError where there are none.

    They are in the order of the folders' names on disk. A name in two Unicode forms is one class, in the composed form.
    """
    names = _class_folders(folder, section=section)
    unreadable = [name for name in names if not _is_unicode(name)]
    if unreadable:
        raise ConfigError(f"{section}: {folder} has classes whose names are not UTF-8: {unreadable!a}; rename them")
    return tuple(dict.fromkeys(map(composed, names)))


def find_images(folder: Path, labels: Mapping[str, int], *, section: str) -> ImageList:
    """Return the images below `folder/<class>` with the labels of their classes.

    Links to folders are followed, each real folder once. Hidden files and folders do not count; other files that are
    no images by their endings are left out.

    Raises:
        ConfigError: A class has no image, or a link leads to a folder that holds it.
    """
    walk = FolderWalk(section)
    found: list[tuple[Path, str]] = []
    for name in _class_folders(folder, section=section):
        found += [(path, composed(name)) for path in walk.files(folder / name, owner=composed(name))]
    images = [(path, name) for path, name in found if is_image(path.name) and name in labels]
    empty = sorted(set(labels) - {name for _, name in images})
    if empty:
        raise ConfigError(
            f"{section}: {folder} has no image of the classes {', '.join(empty)} ({', '.join(IMAGE_ENDINGS)})"
        )
    ids = image_ids(path.relative_to(folder) for path, _ in images)
    left_out = [*_loose_files(folder), *(path for path, _ in found if not is_image(path.name))]
    return ImageList(
        [ImageFile(path, None, labels[name], id_) for (path, name), id_ in zip(images, ids, strict=True)],
        folder,
        left_out=tuple(map(str, left_out)),
    )


def _class_folders(folder: Path, *, section: str) -> list[str]:
    """Return the sorted names of the folders in `folder`, links to folders included."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not is_hidden(entry.name))
    except OSError:
        names = []
    if not names:
        raise ConfigError(f"{section}: {folder} should be a folder that holds one folder for each class")
    return names


def _loose_files(folder: Path) -> list[Path]:
    """Return the files next to the folders of the classes."""
    return sorted(Path(entry) for entry in os.scandir(folder) if not entry.is_dir() and not is_hidden(entry.name))


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _listing(names: tuple[str, ...], other: tuple[str, ...]) -> str:
    return ", ".join(sorted(set(names) - set(other))) or "nothing"
