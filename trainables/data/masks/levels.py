"""The levels of a mask file, 0 to 255, in whatever mode it was saved: grey, colours, palettes, transparency.

N colours, C channels, H W image height and width.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainables.data.file_reader import Pixels, opened

Numbers = npt.NDArray[np.integer[Any]]
TRANSPARENT = (
    "its transparency differs between pixels and does not agree with its colours, so that its object is unknown; "
    "save it without transparency"
)
"""Why a mask is refused."""


def grey_values(image: Image.Image) -> Pixels:
    """Return the grey levels of a mask, HW; colours count where all are PASCAL VOC's, by their place in its palette.

    Raises:
        ValueError: It has other colours, transparency that differs between pixels, or levels that are not 0 to 255.
    """
    return _values(_opaque(image), _level_of_colours)


def class_values(image: Image.Image) -> Pixels:
    """Return the same as `grey_values`, but grey counts as PASCAL VOC's too where it is one: (128, 128, 128) is 7."""
    return _values(_opaque(image), partial(_level_of_colours, voc_first=True))


def note_on_values(path: Path) -> str:
    """Return what the format of a mask file does to its values, for messages about wrong ones."""
    with opened(path, path.suffix) as image:
        if image.format == "JPEG":
            return "; it is a JPEG file, and compression changes values: save it as PNG"
        return "; of a palette, the colours count and not their numbers" if image.mode == "P" else ""


def _values(image: Image.Image, level_of: Callable[[Numbers], Pixels]) -> Pixels:
    """Return the levels of an image without transparency; `level_of` gives those of colours, N3."""
    if image.mode == "P":
        indices_HW = np.array(image)
        used, place_HW = np.unique(indices_HW, return_inverse=True)
        colours_N3 = palette_colours(image)[used]
        if places_in_voc(colours_N3) == used.tolist():  # As most tools save numbers of classes.
            return indices_HW
        return _placed(level_of(colours_N3), place_HW, indices_HW.shape)
    values = whole_numbers(image)
    if values.ndim == 3:
        packed_HW = values.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.int32)
        used, place_HW = np.unique(packed_HW, return_inverse=True)
        colours = np.stack([used >> 16, used >> 8 & 255, used & 255], axis=-1)
        return _placed(level_of(colours), place_HW, packed_HW.shape)
    if values.dtype != np.uint8 and values.size and values.max() > 255:
        raise ValueError(
            f"its values go from {values.min()} to {values.max()} (mode {image.mode}); "
            "a mask has whole numbers from 0 to 255"
        )
    return values.astype(np.uint8, copy=False)


def _placed(levels_N: Pixels, place_HW: Numbers, shape: tuple[int, ...]) -> Pixels:
    levels_HW: Pixels = levels_N[place_HW.reshape(shape)]
    return levels_HW


def _level_of_colours(colours_N3: Numbers, *, voc_first: bool = False) -> Pixels:
    """Return the grey level of each colour, or the place in PASCAL VOC's palette where all colours are in it."""
    places = places_in_voc(colours_N3)
    is_grey_N = (colours_N3 == colours_N3[:, :1]).all(1)
    if None not in places and (voc_first or not is_grey_N.all()):
        return np.array(places, dtype=np.uint8)
    if not is_grey_N.all():
        colour = tuple(colours_N3[~is_grey_N][0].tolist())
        raise ValueError(
            f"it is in colour, such as {colour}, so that the values of its pixels are unknown; save it in grey (mode "
            "L), or in the colours of PASCAL VOC"
        )
    return colours_N3[:, 0].astype(np.uint8)


def palette_colours(image: Image.Image) -> Numbers:
    """Return 256 colours; those that the file does not have are black."""
    colours = np.zeros((256, 3), dtype=np.int64)
    listed = np.array(image.getpalette("RGB") or [], dtype=np.int64).reshape(-1, 3)
    colours[: len(listed)] = listed
    return colours


def _opaque(image: Image.Image) -> Image.Image:
    """Return an image without its transparency; ValueError where that differs between pixels."""
    if "A" not in image.getbands():
        return image
    low, high = image.getchannel("A").getextrema()
    if low != high:
        raise ValueError(TRANSPARENT)
    return image.convert("L" if image.mode == "LA" else "RGB")


def whole_numbers(image: Image.Image) -> Numbers:
    """Return the levels of an image, HW or HWC; ValueError for those that are no whole numbers or are below 0."""
    known = {"1", "L", "RGB", "I"}
    values = np.array(image if image.mode in known or image.mode.startswith("I;16") else _converted(image))
    if values.dtype.kind == "f" or (values.dtype.kind == "i" and values.size and values.min() < 0):
        raise ValueError(
            f"its values go from {values.min()} to {values.max()} (mode {image.mode}); "
            "a mask has whole numbers from 0 to 255"
        )
    return values


def _converted(image: Image.Image) -> Image.Image:
    """Return an image of another mode, such as CMYK, in RGB; 32-bit numbers stay."""
    return image if image.mode == "F" else image.convert("RGB")


def places_in_voc(colours_N3: Numbers) -> list[int | None]:
    """Return the place of each colour in PASCAL VOC's palette of 256; None for a colour that is not in it."""
    return [_voc_places().get(tuple(colour)) for colour in colours_N3.tolist()]


@cache
def _voc_places() -> dict[tuple[int, ...], int]:
    """Return the places of the colours of PASCAL VOC: bits of the place go to red, green and blue in turn."""
    return {
        tuple(sum((place >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3)): place
        for place in range(256)
    }
