"""ImageNet-S: images of ImageNet, some with the class of every pixel (Gao et al. 2023, TPAMI 45, arXiv 2106.03149).

Layout `<root>/<folder>`: `{train,train-semi,validation}/<class>/*.JPEG`, and the masks of the last two in
`{train-semi,validation}-segmentation/<class>/*.png`. A mask's pixel has the id R + 256 * G: 0 other, 1 to K the classes
in the order of their sorted names, 1000 ignored.
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from trainables.config import ConfigError, ImageNetS
from trainables.data.dataset import DataBundle
from trainables.data.file_index import NO_INDEX, NO_MASK, DataFiles, FileIndex, FileSet, file_set
from trainables.data.folders import Folders, check_same_classes, class_folders, first_few, only_images
from trainables.data.image_files import image_bundle
from trainables.data.image_list import FileList, ImageList, check_once, read_lines
from trainables.data.image_names import not_images
from trainables.data.masks.mask_format import IGNORED, ObjectMask
from trainables.data.validation_cut import split_files

IGNORE_ID = 1000
_VALIDATION, _SEMI = "validation", "train-semi"


def build_imagenet_s(config: ImageNetS, file_index: FileIndex = NO_INDEX) -> DataBundle:
    """Read the chosen folders as the images to train and validate on, and `validation` as the test set."""
    folder = Path(config.root, config.folder)
    files = file_index.files(config, find_files)
    if config.on_error == "raise":
        _check_masks(folder, files)

    image_files = partial(FileList, folder, mask_name=mask_name)
    num_classes = len(files.class_names)
    train, val = split_files(files.train, config.validation)
    return image_bundle(
        config,
        train=ImageList(image_files(train, oversample_masked=config.oversample_masked), folder, train.digest),
        val=None if val is None else ImageList(image_files(val), folder, val.digest),
        test=ImageList(image_files(files.val), folder, files.val.digest, left_out=files.val.left_out),
        train_once=ImageList(image_files(train), folder, left_out=train.left_out),
        class_names=files.class_names,
        mask_format=ObjectMask(mask_ids, partial(background_of_class, num_classes=num_classes)),
    )


def find_files(config: ImageNetS, folders: Folders) -> DataFiles:
    """List the images of the chosen folders; ConfigError where classes or images are missing."""
    folder = Path(config.root, config.folder)
    class_names = _class_names(config, folders)
    splits = ("train", _SEMI) if config.train == "both" else (config.train,)
    for split in splits:
        folders.record_time(folder / split)
        names = class_folders(folder / split, remedy=_remedy(config))
        check_same_classes(folder / split, names, folder / _VALIDATION, class_names)
    folders.read(folder / split / name for split in (*splits, _VALIDATION) for name in class_names)
    labels = {name: label for label, name in enumerate(class_names)}

    def files(names: list[str], of_splits: Sequence[str], oversample_masked: int = 1) -> FileSet:
        own = [labels[name.split("/")[1]] for name in names]
        places = [f"{split}/{name}" for split in of_splits for name in class_names]
        return file_set(
            folder,
            names,
            own,
            folders,
            mask_name=mask_name,
            oversample_masked=oversample_masked,
            left_out=[
                f"{folder}/{place}/{file}" for place in places for file in not_images(folders.names(folder / place))
            ],
        )

    return DataFiles(
        class_names,
        train=files(_training_names(folder, splits, class_names, folders), splits, config.oversample_masked),
        val=files(_names(folder, _VALIDATION, class_names, folders), [_VALIDATION]),
    )


def mask_name(name: str) -> str | None:
    """Return the mask of an image `<split>/<class>/<file>`; None for `train`, which has none."""
    split, class_name, file = name.split("/")
    return None if split == "train" else f"{split}-segmentation/{class_name}/{file.rpartition('.')[0]}.png"


def mask_ids(image: Image.Image) -> npt.NDArray[np.int32]:
    """Return the id of each pixel, R + 256 * G; raise ValueError for a file without these two."""
    if image.mode == "P":  # As lossless optimisers save it: the colours are the same.
        image = image.convert("RGB")
    if image.mode not in ("RGB", "RGBA"):
        raise ValueError(
            f"it is an image of mode {image.mode}; a mask of ImageNet-S is an RGB image whose colours are the ids "
            "R + 256 * G, so convert it to RGB if its colours are these"
        )
    values_HWC = np.array(image)
    return values_HWC[..., 0].astype(np.int32) + 256 * values_HWC[..., 1].astype(np.int32)


def background_of_class(ids_HW: Tensor, label: int | None, *, num_classes: int) -> Tensor:
    """Return OBJECT on the image's own class, IGNORED on the id 1000, and BACKGROUND elsewhere, uint8.

    Raises:
        ValueError: It holds an id that no class has.
    """
    assert label is not None, "the folder says what an image shows"
    ignored_HW = ids_HW == IGNORE_ID
    others_HW = (ids_HW > num_classes) & ~ignored_HW
    if others_HW.any():
        others = first_few([str(other) for other in sorted(set(ids_HW[others_HW].tolist()))])
        raise ValueError(
            f"has the ids {others}; with {num_classes} classes an id is 0 (other), 1 to {num_classes} (classes) or "
            f"{IGNORE_ID} (ignored)"
        )
    return (ids_HW != label + 1).to(torch.uint8).masked_fill(ignored_HW, IGNORED)


def _class_names(config: ImageNetS, folders: Folders) -> tuple[str, ...]:
    """Return the classes by label: their sorted names, which a categories file may hold in another order."""
    folder = Path(config.root, config.folder)
    folders.record_time(folder / _VALIDATION)
    names = class_folders(folder / _VALIDATION, remedy=_remedy(config))
    if len(names) >= IGNORE_ID:
        raise ConfigError(
            f"data.root: {folder / _VALIDATION} has {len(names)} classes, but id {IGNORE_ID} means ignored"
        )
    places = [folder / "categories", folder, Path(config.root, "categories"), Path(config.root, "data", "categories")]
    listed = [place / f"ImageNetS_categories_im{len(names)}.txt" for place in places]
    path = next((path for path in listed if path.is_file()), None)
    if path is not None:
        folders.record_time(path)
        rows = [line.strip() for line in read_lines(path, remedy="").values()]
        check_once(path, rows)
        check_same_classes(path, rows, folder / _VALIDATION, names)
    elif not re.fullmatch(rf"ImageNetS{len(names)}", folder.name):
        raise ConfigError(
            f"data.root: {folder / _VALIDATION} has {len(names)} classes, and no file says that these are all of them, "
            f"so ids may mean other classes; looked for {', '.join(map(str, listed))}; list the class names there, "
            "one per line"
        )
    return names


def _remedy(config: ImageNetS) -> str:
    try:
        names = sorted(entry.name for entry in Path(config.root).iterdir() if (entry / _VALIDATION).is_dir())
    except OSError:
        names = []
    return (
        f"looked for {{train,train-semi,validation}}/<class>/*.JPEG and {{train-semi,validation}}-segmentation/<class>/"
        f"*.png in {Path(config.root, config.folder)}; set data.root to the folder that holds {config.folder}, or "
        f"data.folder to a folder in {config.root}: {', '.join(names) or 'none there has a validation folder'}"
    )


def _training_names(folder: Path, splits: tuple[str, ...], class_names: tuple[str, ...], folders: Folders) -> list[str]:
    """Return the images of the chosen folders; of an image in both, only the file with a mask."""
    if len(splits) == 1:
        return _names(folder, *splits, class_names, folders)
    masked = _names(folder, _SEMI, class_names, folders)
    stems = {_stem(name) for name in masked}
    return [name for name in _names(folder, "train", class_names, folders) if _stem(name) not in stems] + masked


def _names(folder: Path, split: str, class_names: tuple[str, ...], folders: Folders) -> list[str]:
    return [
        f"{split}/{name}/{file}"
        for name in class_names
        for file in only_images(folder / split / name, folders.names(folder / split / name))
    ]


def _stem(name: str) -> str:
    """Return `<class>/<file without ending>`, which is the same for an image in all folders."""
    return name.partition("/")[2].rpartition(".")[0]


def _check_masks(folder: Path, files: DataFiles) -> None:
    missing = [mask for each in (files.train, files.val) for mask in each.missing_masks(mask_name)]
    if missing:
        num_masks = sum(int((each.mask_sizes_N != NO_MASK).sum()) for each in (files.train, files.val))
        raise ConfigError(
            f"data.root: {len(missing)} of {num_masks} masks are missing in {folder}: {first_few(missing)}; complete "
            "them, or set data.on_error=skip to go on without those images"
        )
