"""Hard ImageNet: masks for 15 classes of ImageNet with strong spurious cues (Moayeri et al. 2022, NeurIPS).

Layout below the root: `<images>/{train,val}/<wnid>/<picture>` as ImageNet has it, and `<masks>/{train,val}/
<wnid>_<picture>`, where the object is what is not black.
"""

import os
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from trainables.config import ConfigError, HardImageNet
from trainables.data.class_folders import check_same_classes, missing_files
from trainables.data.dataset import DataBundle
from trainables.data.file_list import FileList
from trainables.data.list_file import first_few
from trainables.data.photos import Photos, Pixels
from trainables.data.transforms import Transform, evaluation_transform, training_transform

SPLITS = ("train", "val")


def build_hard_imagenet(config: HardImageNet) -> DataBundle:
    """Read the pictures that have a mask; the classes are those of the masks, by their sorted names."""
    root = Path(config.root)
    train, val = (_names(config, split) for split in SPLITS)
    class_names, val_names = (sorted({name.split("/")[-2] for name in names}) for names in (train, val))
    masks = root / config.masks
    check_same_classes(masks / "train", class_names, masks / "val", val_names)
    if config.on_error == "raise":
        _check_pictures(root, train + val)

    def photos(names: list[str], transform: Transform) -> Photos:
        labels = [class_names.index(name.split("/")[-2]) for name in names]
        return Photos(
            FileList(root, names, labels, mask_name=partial(_mask_name, config)),
            class_names=tuple(class_names),
            root=root,
            image_size=config.image_size,
            transform=transform,
            mask_values=brightest_colour,
            on_error=config.on_error,
        )

    return DataBundle(
        train=photos(train, training_transform(config.image_size, config.augmentation)),
        val=photos(val, evaluation_transform(config.image_size)),
        reference=photos(train, evaluation_transform(config.image_size)),
        class_names=tuple(class_names),
        config=config,
    )


def brightest_colour(picture: Image.Image) -> Pixels:
    """Return the largest of red, green and blue, without the transparency that some masks have."""
    values_HW: Pixels = np.array(picture.convert("RGB"), dtype=np.uint8).max(2)
    return values_HW


def _names(config: HardImageNet, split: str) -> list[str]:
    """Return the pictures of the masks `<wnid>_<picture>`."""
    folder = Path(config.root, config.masks, split)
    expected = "expected masks <wnid>_<picture>, as in n02091244_n02091244_123.JPEG"
    try:
        files = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError as error:
        raise ConfigError(
            f"data.root: {folder} cannot be read ({error.strerror}); looked for {config.masks}/{{train,val}}/"
            f"<wnid>_<picture> and {config.images}/{{train,val}}/<wnid>/<picture> in {config.root}; set data.root to "
            "the folder that holds both, and data.masks and data.images to what they are called there"
        ) from error
    parts = [name.partition("_") for name in files]
    wrong = ["".join(part) for part in parts if not all(part)]
    if wrong or not files:
        raise ConfigError(f"data.root: {folder} has {first_few(wrong) or 'no files'}; {expected}")
    return [f"{config.images}/{split}/{wnid}/{file}" for wnid, _, file in parts]


def _mask_name(config: HardImageNet, name: str) -> str:
    split, wnid, file = name.split("/")[-3:]
    return f"{config.masks}/{split}/{wnid}_{file}"


def _check_pictures(root: Path, names: list[str]) -> None:
    missing = missing_files(root, names)
    if missing:
        raise ConfigError(
            f"data.root: {len(missing)} of {len(names)} pictures that have a mask are missing in {root}: "
            f"{first_few(missing)}; complete them, or set data.on_error=skip to go on without them"
        )
