"""Hard ImageNet: masks for 15 classes of ImageNet with strong spurious cues (Moayeri et al. 2022, NeurIPS).

Layout below the root: `<images>/{train,val}/<wnid>/<image>` as ImageNet has it, and `<masks>/{train,val}/
<wnid>_<image>`, in which the object is every pixel that is not black.
"""

import os
from collections.abc import Container
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from trainables.config import ConfigError, HardImageNet
from trainables.data.dataset import DataBundle
from trainables.data.file_index import NO_INDEX, DataFiles, FileIndex, FileSet, file_set
from trainables.data.file_reader import Pixels
from trainables.data.folders import Folders, check_same_classes, first_few
from trainables.data.image_file import short_hash
from trainables.data.image_files import image_bundle
from trainables.data.image_list import FileList, ImageList
from trainables.data.image_names import is_hidden
from trainables.data.masks.mask_format import ObjectMask
from trainables.data.ranking import balanced_subset
from trainables.data.validation_cut import part_of, split_files

SPLITS = ("train", "val")


def build_hard_imagenet(config: HardImageNet, file_index: FileIndex = NO_INDEX) -> DataBundle:
    """Read the images that have a mask, val as the test set; classes are the sorted names of the masks' classes."""
    root = Path(config.root)
    files = file_index.files(config.model_copy(update={"train": "all"}), find_files)
    if config.train == "balanced":
        files = replace(files, train=_balanced(config, files.train))
    if config.on_error == "raise":
        _check_images(root, files)

    def images(of: FileSet) -> ImageList:
        return ImageList(FileList(root, of, mask_name=partial(_mask_name, config)), root, of.digest)

    train, val = split_files(files.train, config.validation)
    return image_bundle(
        config,
        train=images(train),
        val=None if val is None else images(val),
        test=images(files.val),
        class_names=files.class_names,
        mask_format=ObjectMask(brightest_colour),
    )


def _balanced(config: HardImageNet, files: FileSet) -> FileSet:
    """Return the images at both ends of the publisher's ranking; those without a mask are not there."""
    masks = Path(config.root, config.masks)
    chosen = balanced_subset((masks, masks / "meta"))
    parts = [os.fsdecode(bytes(name)).rsplit("/", 2) for name in files.names_N]
    is_in_N = np.array([f"{wnid}/{image}" in chosen for _, wnid, image in parts], dtype=np.bool_)
    if not is_in_N.any():
        raise ConfigError(f"data.train = balanced: no training image below {masks} is in the ranking")
    return part_of(files, is_in_N, f"balanced {short_hash(sorted(chosen))}")


def find_files(config: HardImageNet, folders: Folders) -> DataFiles:
    """List the masks and their images; ConfigError where names or classes do not fit."""
    root = Path(config.root)
    masks = root / config.masks
    folders.read(masks / split for split in SPLITS)
    train, val = (_names(config, split, folders) for split in SPLITS)
    class_names, val_names = (sorted({name.split("/")[-2] for name in names}) for names in (train, val))
    check_same_classes(masks / "train", class_names, masks / "val", val_names)

    def files(names: list[str]) -> FileSet:
        labels = [class_names.index(name.split("/")[-2]) for name in names]
        return file_set(root, names, labels, folders, mask_name=partial(_mask_name, config))

    return DataFiles(tuple(class_names), files(train), files(val))


def brightest_colour(image: Image.Image) -> Pixels:
    """Return the largest of red, green and blue, without the transparency that some masks have."""
    if image.mode == "L":
        return np.array(image)
    if image.mode.startswith("I"):  # Of 16 or 32 bits, which RGB would round to 0.
        return np.asarray(np.array(image) != 0, dtype=np.uint8)
    red, green, blue = image.convert("RGB").split()
    values_HW: Pixels = np.array(ImageChops.lighter(ImageChops.lighter(red, green), blue), dtype=np.uint8)
    return values_HW


def _names(config: HardImageNet, split: str, folders: Folders) -> list[str]:
    """Return the images of the masks `<wnid>_<image>`."""
    folder = Path(config.root, config.masks, split)
    expected = "expected masks <wnid>_<image>, as in n02091244_n02091244_123.JPEG"
    try:
        files = [name for name in folders.names(folder) if not is_hidden(name)]
    except ConfigError as error:
        raise ConfigError(
            f"{error}; looked for {config.masks}/{{train,val}}/"
            f"<wnid>_<image> and {config.images}/{{train,val}}/<wnid>/<image> in {config.root}; set data.root to "
            "the folder that holds both, and data.masks and data.images to their names there"
        ) from error
    below = Path(config.root, config.images, split)
    classes = frozenset(folders.sizes(below))
    images = [_image_of(name, below, classes, folders) for name in files]
    wrong = [name for name, image in zip(files, images, strict=True) if image is None]
    if wrong or not files:
        raise ConfigError(f"data.root: {folder} has {first_few(wrong) or 'no files'}; {expected}")
    return [f"{config.images}/{split}/{image}" for image in images]


def _image_of(mask: str, images: Path, classes: Container[str], folders: Folders) -> str | None:
    """Return the image `<class>/<image>` of a mask `<class>_<image>`; None where its name has another form.

    Where names of classes have a `_` too, the class is the one whose folder is there and has the image.
    """
    parts = mask.split("_")
    splits = [("_".join(parts[:number]), "_".join(parts[number:])) for number in range(1, len(parts))]
    splits = [(name, file) for name, file in splits if name and file]
    there = [(name, file) for name, file in splits if name in classes]
    if len(there) > 1:
        having = [(name, file) for name, file in there if file in folders.sizes(images / name)]
        if len(having) > 1:
            both = " and ".join("/".join(split) for split in having)
            raise ConfigError(f"data.root: the mask {mask} fits {both} in {images}; rename one of the classes")
        there = having or there[-1:]
    return "/".join((there or splits)[0]) if splits else None


def _mask_name(config: HardImageNet, name: str) -> str:
    split, wnid, file = name.split("/")[-3:]
    return f"{config.masks}/{split}/{wnid}_{file}"


def _check_images(root: Path, files: DataFiles) -> None:
    missing = [*files.train.missing_images(), *files.val.missing_images()]
    if missing:
        raise ConfigError(
            f"data.root: {len(missing)} of {len(files.train) + len(files.val)} images that have a mask are missing "
            f"in {root}: {first_few(missing)}; complete them, or set data.on_error=skip to go on without them"
        )
