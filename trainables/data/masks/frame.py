"""The part of an image that its mask shows: all of it, or the crop that a network saw when the mask was made.

H W image height and width.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from trainables.data.transforms import resize_mask

MaskFrame = Literal["original", "resize256_crop224"]
_SHORTER, _CROP = 256, 224


def size_in_frame(size: Sequence[int], frame: MaskFrame) -> tuple[int, int]:
    """Return the height and width of the mask of an image of this height and width."""
    height, width = size
    return (height, width) if frame == "original" else (_CROP, _CROP)


def out_of_frame(map_HW: Tensor, size: Sequence[int], frame: MaskFrame, *, unknown: float) -> Tensor:
    """Return the map at the image's size, `unknown` where the mask does not show the image.

    It is resized by `resize_mask`. Rows and columns are those of torchvision's `Resize(256)` and `CenterCrop(224)`,
    rounded to whole pixels of the image.
    """
    if frame == "original":
        return map_HW
    (top, bottom), (left, right) = (_crop(length, min(size)) for length in size)
    whole_HW = torch.full(tuple(size), unknown, dtype=map_HW.dtype)
    whole_HW[top:bottom, left:right] = resize_mask(map_HW, (bottom - top, right - left))
    return whole_HW


def _crop(length: int, shorter: int) -> tuple[int, int]:
    """Return the first pixel of the central crop along one side of the image, and the first after it."""
    resized = _SHORTER * length // shorter
    start = round((resized - _CROP) / 2)
    return round(start * length / resized), round((start + _CROP) * length / resized)
