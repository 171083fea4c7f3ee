"""ImageNet and the masks of ImageNet-S as their publishers give them out, with images of a few bytes."""

from collections.abc import Sequence
from pathlib import Path

WNIDS = ("n01", "n02", "n03")


def write_imagenet(root: Path, wnids: Sequence[str] = WNIDS, *, flat_val: bool, num_train: int = 3) -> Path:
    """Write `num_train` training images and two for validation a class, each with bytes of its own."""
    for number, wnid in enumerate(wnids):
        train, val = root / "train" / wnid, root / "val" if flat_val else root / "val" / wnid
        for folder in (train, val):
            folder.mkdir(parents=True, exist_ok=True)
        for index in range(num_train):
            (train / f"{wnid}_{index}.JPEG").write_text(f"train {wnid} {index}")
        for index in range(2):
            (val / val_name(number, index)).write_text(f"val {wnid} {index}")
    return root


def val_name(number: int, index: int) -> str:
    return f"ILSVRC2012_val_{number:06}{index:02}.JPEG"


def write_masks(annotations: Path, folder: str, classes: Sequence[str], wnids: Sequence[str] = WNIDS) -> Path:
    """Write masks of the first training image and of both validation images of each class."""
    for name in classes:
        semi, val = (annotations / folder / f"{split}-segmentation" / name for split in ("train-semi", "validation"))
        for place in (semi, val):
            place.mkdir(parents=True, exist_ok=True)
        (semi / f"{name}_0.png").write_text(f"mask {name} 0")
        for index in range(2):
            (val / val_name(wnids.index(name), index)).with_suffix(".png").write_text(f"mask {name} {index}")
    return annotations
