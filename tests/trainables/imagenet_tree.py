"""ImageNet-S and Hard ImageNet in their real layouts, with images of a few pixels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

SIZE = (48, 60)
"""Height and width."""
CLASSES = ("n01", "n02", "n03")
OWN = (slice(10, 38), slice(10, 34))
OTHER = (slice(10, 38), slice(36, 50))
IGNORED = (slice(38, 44), slice(10, 34))


def id_map(parts: Mapping[int, Any], size: tuple[int, int] = SIZE) -> npt.NDArray[np.int64]:
    """Return the ids of a mask; later parts lie on earlier ones."""
    ids_HW = np.zeros(size, dtype=np.int64)
    for id_, where in parts.items():
        ids_HW[where] = id_
    return ids_HW


def write_ids(path: Path, ids_HW: npt.NDArray[np.int64]) -> None:
    """Write a mask as ImageNet-S has it, red and green and an empty blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([ids_HW % 256, ids_HW // 256, 0 * ids_HW], axis=-1).astype(np.uint8)).save(path)


def write_image(path: Path, *, seed: int = 0, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format="JPEG", quality=95)


def write_imagenet_s(root: Path, *, folder: str = "ImageNetS3") -> Path:
    """Write four training images a class, one of them with a mask too, and two for validation."""
    base = root / folder
    for label, name in enumerate(CLASSES):
        ids_HW = id_map({label + 1: OWN, (label + 1) % len(CLASSES) + 1: OTHER, 1000: IGNORED})
        for number in range(4):
            write_image(base / "train" / name / f"{name}_{number}.JPEG", seed=number)
        write_image(base / "train-semi" / name / f"{name}_1.JPEG", seed=1)
        write_ids(base / "train-semi-segmentation" / name / f"{name}_1.png", ids_HW)
        for number in range(2):
            write_image(base / "validation" / name / f"ILSVRC2012_val_{label}{number}.JPEG", seed=10 + number)
            write_ids(base / "validation-segmentation" / name / f"ILSVRC2012_val_{label}{number}.png", ids_HW)
    return base


def write_hard_imagenet(root: Path) -> None:
    """Write two training images with masks a class, one without, and one with a mask for validation."""
    mask_HW = np.zeros(SIZE, dtype=np.uint8)
    mask_HW[OWN] = 255
    for name in CLASSES:
        files = {"train": [f"{name}_{number}.JPEG" for number in range(3)], "val": [f"ILSVRC2012_val_{name}.JPEG"]}
        for split, names in files.items():
            for seed, file in enumerate(names):
                write_image(root / "imagenet" / split / name / file, seed=seed)
                if seed < 2:
                    path = root / "hardImageNet" / split / f"{name}_{file}"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(mask_HW).save(path, format="PNG")
