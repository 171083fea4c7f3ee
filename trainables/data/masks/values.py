"""What the pixels of a mask file say, whatever the file's mode; ValueError where they cannot say it.

Shape letters: C channels, H W image height and width.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainables.data.file_reader import Pixels
from trainables.data.masks.levels import TRANSPARENT, palette_colours, places_in_voc, whole_numbers

Numbers: TypeAlias = npt.NDArray[np.int32]
WHITE = 65535
"""The brightness of white."""
_GREY = ("L", "I", "I;16", "I;16B", "I;16L")
_WITHOUT_LOSS = "save it as PNG, or set data.masks.kind=threshold"


def is_lit(image: Image.Image) -> Pixels:
    """Return 1 where a pixel is not black and 0 elsewhere, HW.

    Raises:
        ValueError: Its palette or its transparency leaves open what is background, or it is a JPEG.
    """
    _refuse_compressed(image)
    if image.mode == "P":
        return _lit_of_palette(image)
    is_lit = whole_numbers(image) != 0
    lit_HW: Pixels = (is_lit.any(2) if is_lit.ndim == 3 else is_lit).view(np.uint8)
    alpha_HW = np.array(image.getchannel("A")) if "A" in image.getbands() else np.zeros(1)
    if alpha_HW.min() != alpha_HW.max() and ((alpha_HW > 0) != lit_HW).any():
        raise ValueError(TRANSPARENT)
    return lit_HW


def numbers(image: Image.Image) -> Numbers:
    """Return the whole number of each pixel, HW: its grey value, its bit, or its place in a palette of colours.

    Where all colours are PASCAL VOC's, it is the place in PASCAL VOC's palette, which an optimiser may have reordered.
    """
    _refuse_compressed(image)
    if image.mode == "P" and not _has_grey_palette(image):
        indices_HW = np.array(image)
        used = np.unique(indices_HW)
        places = places_in_voc(palette_colours(image)[used])
        if None not in places:
            place_of = np.zeros(256, dtype=np.int32)
            place_of[used] = np.array(places, dtype=np.int32)
            placed_HW: Numbers = place_of[indices_HW]
            return placed_HW
    if image.mode == "1" or (image.mode == "P" and not _has_grey_palette(image)):
        return np.array(image).astype(np.int32)
    return grey_numbers(image)


def grey_numbers(image: Image.Image) -> Numbers:
    """Return the grey value of each pixel, HW, in the file's own unit: white is 255, or 65535 with 16 bits."""
    if image.mode in _GREY:
        return np.array(image).astype(np.int32)
    colours_HWC = np.array(image.convert("RGB"))
    if (colours_HWC != colours_HWC[..., :1]).any():
        raise ValueError(
            f"its colours are no grey values (mode {image.mode}); data.masks.kind = nonzero takes any colour as "
            "object, and id_r_plus_256g reads colours as numbers"
        )
    return colours_HWC[..., 0].astype(np.int32)


def brightness(image: Image.Image) -> Numbers:
    """Return 0 for black to WHITE for white, HW."""
    values_HW = grey_numbers(image)
    if image.mode.startswith("I"):
        if values_HW.size and not 0 <= values_HW.min() <= values_HW.max() <= WHITE:
            raise ValueError(f"its values go from {values_HW.min()} to {values_HW.max()}; expected 0 to {WHITE}")
        return values_HW
    return values_HW * (WHITE // 255)


def _lit_of_palette(image: Image.Image) -> Pixels:
    """Return 1 on all colours of a palette but black."""
    indices_HW = np.array(image)
    used = np.unique(indices_HW)
    is_black = (palette_colours(image) == 0).all(1)
    num_black = int(is_black[used].sum())
    if num_black > 1 or (num_black == 0 and 0 in used):
        found = "no colour" if num_black == 0 else f"{num_black} colours"
        raise ValueError(f"{found} of its palette is black, so that its background is unknown; save it in mode L")
    lit_HW: Pixels = (~is_black[indices_HW]).astype(np.uint8)
    return lit_HW


def _has_grey_palette(image: Image.Image) -> bool:
    palette_KC = np.array(image.getpalette("RGB")).reshape(-1, 3)
    return bool((palette_KC == palette_KC[:, :1]).all())


def _refuse_compressed(image: Image.Image) -> None:
    if image.format == "JPEG":
        raise ValueError(f"it is a JPEG, whose compression changes the values of pixels; {_WITHOUT_LOSS}")
