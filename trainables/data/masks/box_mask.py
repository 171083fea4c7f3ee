"""Boxes as masks: what lies in one of them is object.

B batch, H W image height and width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trainables.data.batch import Batch
from trainables.data.file_reader import FileReader
from trainables.data.image_file import Boxes, ImageError, ImageFile
from trainables.data.masks.mask_format import BACKGROUND, OBJECT, ObjectMask, listed_label

_OBJECT_MASK = ObjectMask()


@dataclass(frozen=True)
class BoxMask:
    """A `MaskFormat` without files: the boxes are listed with the image."""

    background_value: ClassVar[float] = BACKGROUND

    def read(self, image_file: ImageFile, size: Sequence[int], _: FileReader, /) -> Tensor | None:
        """Return BACKGROUND and OBJECT, HW; a pixel is object where its centre lies in a box."""
        if image_file.boxes is None:
            return None
        height, width = size
        _check_inside(image_file.boxes, height, width)
        ys_H1, xs_W = torch.arange(height).unsqueeze(1) + 0.5, torch.arange(width) + 0.5
        map_HW = torch.full((height, width), BACKGROUND, dtype=torch.uint8)
        for left, top, right, bottom in image_file.boxes.corners:
            map_HW[(left <= xs_W) & (xs_W < right) & (top <= ys_H1) & (ys_H1 < bottom)] = OBJECT
        return map_HW

    def label(self, image_file: ImageFile, _: Tensor | None, /) -> int:
        """Return the listed label."""
        return listed_label(image_file)

    def batch(
        self, images_BCHW: Tensor, maps: Sequence[Tensor | None], labels_B: Tensor, ids: tuple[str, ...]
    ) -> Batch:
        """Return the batch; a crop without an object counts as one without a mask."""
        return _OBJECT_MASK.batch(images_BCHW, maps, labels_B, ids)


def _check_inside(boxes: Boxes, height: int, width: int) -> None:
    for left, top, right, bottom in boxes.corners:
        if left < 0 or top < 0 or right > width or bottom > height:
            raise ImageError(
                f"{boxes.where}: the box {left:g} {top:g} {right:g} {bottom:g} lies outside its image, which is "
                f"{width} pixels wide and {height} high; a box is x1 y1 x2 y2 in pixels"
            )
