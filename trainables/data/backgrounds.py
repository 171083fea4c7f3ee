"""The backgrounds of a batch's images, with their objects tiled over, and objects blended into them.

An object's map holds its share of each pixel, in [0, 1]. Nothing here waits for an accelerator.
B batch, C channels, H W image, P places along a side.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class _Boxes(NamedTuple):
    """The pixels of the rows `top <= y < bottom` and the columns `left <= x < right`, of each image."""

    top_B: Tensor
    bottom_B: Tensor
    left_B: Tensor
    right_B: Tensor


def has_background(object_BHW: Tensor) -> Tensor:
    """Return which images have an object, and next to its bounding box a strip without it: bool B."""
    return _strip_areas(_bounding_boxes(object_BHW), *object_BHW.shape[1:]).amax(0) > 0


def tiled_backgrounds(images_BCHW: Tensor, object_BHW: Tensor) -> Tensor:
    """Return the images with the object's bounding box tiled over by the largest strip next to it.

    A strip goes from edge to edge of the image: above, below, left or right of the box, of equal ones the first. Row y
    of the box shows row `top + (y - top) mod height` of the strip, and columns likewise. This is the Only-BG-T of Xiao
    et al. 2021, "Noise or Signal", with one box around all of the image's objects. An image without such a strip, or
    without an object, stays as it is; `has_background` says which.
    """
    height, width = object_BHW.shape[1:]
    boxes = _bounding_boxes(object_BHW)
    tiles = _largest_strips(boxes, height, width)
    rows_BH, is_row_BH = _continued(height, boxes.top_B, boxes.bottom_B, tiles.top_B, tiles.bottom_B)
    columns_BW, is_column_BW = _continued(width, boxes.left_B, boxes.right_B, tiles.left_B, tiles.right_B)
    is_tiled_BHW = is_row_BH.unsqueeze(2) & is_column_BW.unsqueeze(1) & has_background(object_BHW).view(-1, 1, 1)
    own_HW = torch.arange(height * width, device=object_BHW.device).view(height, width)
    places_BHW = torch.where(is_tiled_BHW, rows_BH.unsqueeze(2) * width + columns_BW.unsqueeze(1), own_HW)
    places_BCP = places_BHW.flatten(1).unsqueeze(1).expand(-1, images_BCHW.shape[1], -1)
    return images_BCHW.flatten(2).gather(2, places_BCP).view_as(images_BCHW)


def blend(images_BCHW: Tensor, others_BCHW: Tensor | float, share_BHW: Tensor) -> Tensor:
    """Return `(1 - share) * images + share * others`, the others being images or one grey value."""
    share_B1HW = share_BHW.unsqueeze(1)
    return (1 - share_B1HW) * images_BCHW + share_B1HW * others_BCHW


def _bounding_boxes(object_BHW: Tensor) -> _Boxes:
    """Return the smallest boxes around every pixel with any object in it; the whole image where there is none."""
    return _Boxes(*_extent(object_BHW.amax(2) > 0), *_extent(object_BHW.amax(1) > 0))


def _extent(is_object_BP: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first place of each row, and the one after its last."""
    is_object_BP = is_object_BP.int()
    return is_object_BP.argmax(1), is_object_BP.shape[1] - is_object_BP.flip(1).argmax(1)


def _strip_areas(boxes: _Boxes, height: int, width: int) -> Tensor:
    """Return the pixels above, below, left and right of each box, 4 x B."""
    above_B, below_B = boxes.top_B * width, (height - boxes.bottom_B) * width
    return torch.stack([above_B, below_B, boxes.left_B * height, (width - boxes.right_B) * height])


def _largest_strips(boxes: _Boxes, height: int, width: int) -> _Boxes:
    which_B = _strip_areas(boxes, height, width).argmax(0)
    return _Boxes(
        torch.where(which_B == 1, boxes.bottom_B, 0),
        torch.where(which_B == 0, boxes.top_B, height),
        torch.where(which_B == 3, boxes.right_B, 0),
        torch.where(which_B == 2, boxes.left_B, width),
    )


def _continued(
    length: int, box_start_B: Tensor, box_end_B: Tensor, start_B: Tensor, end_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Return for each place the one of `start <= p < end` that it shows, and whether it lies in the box; both B x P."""
    places_P = torch.arange(length, device=start_B.device)
    start_B1 = start_B.unsqueeze(1)
    size_B1 = (end_B - start_B).clamp(min=1).unsqueeze(1)
    is_inside_BP = (places_P >= box_start_B.unsqueeze(1)) & (places_P < box_end_B.unsqueeze(1))
    return start_B1 + (places_P - start_B1) % size_B1, is_inside_BP
