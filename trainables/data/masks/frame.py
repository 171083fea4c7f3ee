"""The part of an image that its mask shows: all of it, or the crop that a network saw when the mask was made.

H W image height and width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision import tv_tensors

from trainables.config.masks import MaskFrame
from trainables.data.augmentations import ImageAndMask, Transform
from trainables.data.transforms import resize_mask

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
    rows, columns = _rows_and_columns(size)
    whole_HW = torch.full(tuple(size), unknown, dtype=map_HW.dtype)
    whole_HW[rows, columns] = resize_mask(map_HW, (rows.stop - rows.start, columns.stop - columns.start))
    return whole_HW


def cut_to_frame(frame: MaskFrame) -> list[Transform]:
    """Return what cuts an image and its map to the part that the mask shows; no step where that is all of it."""

    def cut(image_CHW: tv_tensors.Image, map_HW: tv_tensors.Mask | None) -> ImageAndMask:
        rows, columns = _rows_and_columns(image_CHW.shape[-2:])
        within_CHW = tv_tensors.Image(image_CHW[:, rows, columns])
        return within_CHW, None if map_HW is None else tv_tensors.Mask(map_HW[rows, columns])

    return [] if frame == "original" else [cut]


def _rows_and_columns(size: Sequence[int]) -> tuple[slice, slice]:
    rows, columns = (slice(*_crop(length, min(size))) for length in size)
    return rows, columns


def _crop(length: int, shorter: int) -> tuple[int, int]:
    """Return the first pixel of the central crop along one side of the image, and the first after it."""
    resized = _SHORTER * length // shorter
    start = round((resized - _CROP) / 2)
    return round(start * length / resized), round((start + _CROP) * length / resized)
