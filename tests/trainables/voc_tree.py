"""PASCAL VOC in its real layout, with images of a few pixels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

ClassMap = npt.NDArray[np.uint8]
SIZE = (48, 60)
"""Height and width."""
CAT, DOG, PERSON, VOID = 8, 12, 15, 255
"""Values of a mask; classes have one less."""
CAT_MAP = (slice(6, 42), slice(10, 30))
DOG_MAP = (slice(10, 38), slice(30, 48))
PERSON_MAP = (slice(16, 32), slice(20, 40))
TRAIN: dict[str, dict[int, Any]] = {
    "2007_000001": {CAT: CAT_MAP},
    "2007_000002": {DOG: DOG_MAP},
    "2008_000003": {CAT: CAT_MAP, DOG: DOG_MAP},
    "2009_000004": {CAT: CAT_MAP, PERSON: PERSON_MAP},
}
VAL: dict[str, dict[int, Any]] = {
    "2007_000005": {CAT: CAT_MAP, DOG: DOG_MAP},
    "2010_000006": {DOG: DOG_MAP},
    "2011_000007": {PERSON: PERSON_MAP},
}
_HUES = {CAT: (200, 60, 40), DOG: (40, 180, 60), PERSON: (60, 60, 210)}


def class_map(parts: Mapping[int, Any]) -> ClassMap:
    """Return a mask of SIZE with the rows and columns of each value; later values lie on earlier ones."""
    values_HW = np.zeros(SIZE, dtype=np.uint8)
    for value, where in parts.items():
        values_HW[where] = value
    return values_HW


def palette() -> list[int]:
    """Return the colours of VOC's masks: the bits of the value, from the lowest, go to red, green and blue in turn."""
    colours = []
    for value in range(256):
        rgb = [0, 0, 0]
        for bit in range(8):
            rgb[bit % 3] |= (value >> bit & 1) << (7 - bit // 3)
        colours += rgb
    return colours


def write_mask(path: Path, values_HW: ClassMap) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(values_HW)
    mask.putpalette(palette())
    mask.save(path)


def write_image(path: Path, values_HW: ClassMap, *, seed: int = 0) -> None:
    """Write an image of noise with its objects in the colours of their classes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels_HWC = np.random.default_rng(seed).integers(60, 256, (*values_HW.shape, 3), dtype=np.uint8)
    for value, hue in _HUES.items():
        pixels_HWC[values_HW == value] = hue
    Image.fromarray(pixels_HWC).save(path)


def write_list(folder: Path, name: str, stems: Mapping[str, Any]) -> Path:
    path = folder / "ImageSets" / "Segmentation" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{stem}\n" for stem in stems))
    return path


def write_voc(
    root: Path, *, base: str = "VOCdevkit/VOC2012", train: Mapping[str, Any] = TRAIN, val: Mapping[str, Any] = VAL
) -> Path:
    """Write images, masks and lists; return the folder of the year."""
    folder = root / base
    for name, listed in (("train", train), ("val", val)):
        write_list(folder, name, listed)
        for seed, (stem, parts) in enumerate(listed.items()):
            values_HW = class_map(parts)
            write_mask(folder / "SegmentationClass" / f"{stem}.png", values_HW)
            write_image(folder / "JPEGImages" / f"{stem}.jpg", values_HW, seed=seed)
    return folder
