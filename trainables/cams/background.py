"""Masks reduced from the image to the grid of the map.

B batch, K classes, H W image or map.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def reduce_background(background_BHW: Tensor, size: Sequence[int]) -> Tensor:
    """Return each cell's share of background: the mean over the pixels it covers.

    A cell i of n covers the pixels from `floor(i*H/n)` to `ceil((i+1)*H/n)`, so neighbouring cells share a row of
    pixels where H is no multiple of n.

    Args:
        background_BHW: Background at image resolution, in [0, 1].
        size: Height and width of the map.
    """
    height, width = size
    return functional.adaptive_avg_pool2d(background_BHW, (height, width))


def reduce_classes(classes_BHW: Tensor, num_classes: int, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return each cell's share of each class's own object, and of that class's background, both float32 B,K,H,W.

    The background of a class is every known pixel that is not of that class; other objects belong to it. Where pixels
    are neither object nor background the shares add up to less than 1. The reduction is that of `reduce_background`.

    Args:
        classes_BHW: k + 1 on class k, 0 on background, more than `num_classes` on void pixels.
        num_classes: K.
        size: Height and width of the map.
    """
    known_BHW = reduce_background((classes_BHW <= num_classes).float(), size)
    # One class after the other: all at the image's resolution would be K images.
    object_BKHW = torch.stack(
        [reduce_background((classes_BHW == k + 1).float(), size) for k in range(num_classes)], dim=1
    )
    return object_BKHW, known_BHW.unsqueeze(1) - object_BKHW
