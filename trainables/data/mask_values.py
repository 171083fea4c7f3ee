"""What the pixels of a mask file say, whatever the file's mode; ValueError where they cannot say it.

Shape letters: C channels, H W image height and width.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainables.data.image_file import Pixels

Numbers: TypeAlias = npt.NDArray[np.int32]
WHITE = 65535
"""The brightness of white."""
_GREY = ("L", "I", "I;16", "I;16B", "I;16L")
_WITHOUT_LOSS = "save it as PNG, or set data.masks.kind=threshold"


def is_lit(image: Image.Image) -> Pixels:
    """Return 1 where a pixel is not black and 0 elsewhere, HW; transparency does not count."""
    _refuse_compressed(image)
    is_grey = image.mode in _GREY
    values_HWC = np.atleast_3d(np.array(image if is_grey else image.convert("RGB")))
    lit_HW: Pixels = (values_HWC != 0).any(2).astype(np.uint8)
    return lit_HW


def numbers(image: Image.Image) -> Numbers:
    """Return the whole number of each pixel, HW: its grey value, its bit, or its place in a palette of colours."""
    _refuse_compressed(image)
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


def _has_grey_palette(image: Image.Image) -> bool:
    palette_KC = np.array(image.getpalette("RGB")).reshape(-1, 3)
    return bool((palette_KC == palette_KC[:, :1]).all())


def _refuse_compressed(image: Image.Image) -> None:
    if image.format == "JPEG":
        raise ValueError(f"it is a JPEG, whose compression changes the values of pixels; {_WITHOUT_LOSS}")
