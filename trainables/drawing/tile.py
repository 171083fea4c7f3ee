"""An image and its map at the size of a tile of a contact sheet.

C channels, H W image or map.
"""

from collections.abc import Sequence
from math import ceil, floor

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from trainables.drawing.colours import overlay, pale_grey, to_image

TALLEST = 1.5
"""Largest height of a tile, in widths of the space that it has."""
SHARP = 0.7
"""An image is enlarged by a whole number, so that its pixels stay squares, where that fills so much of the space."""


def tile_image(image_CHW: Tensor, width: int) -> Tensor:
    """Return an image of 1 or 3 channels as 3,H,W that fits into `width` pixels and 1.5 times as many rows."""
    image_3HW = image_CHW.float().expand(3, -1, -1)
    height_before, width_before = image_3HW.shape[1:]
    scale = min(width / width_before, TALLEST * width / height_before)
    if floor(scale) >= SHARP * scale:
        return _repeat(image_3HW, floor(scale))
    size = [max(1, round(height_before * scale)), max(1, round(width_before * scale))]
    return functional.interpolate(
        _repeat(image_3HW, ceil(scale)).unsqueeze(0), size, mode="bilinear", antialias=True
    ).squeeze(0)


def draw_map(image_CHW: Tensor, map_HW: Tensor, object_HW: Tensor | None) -> Image.Image:
    """Draw a signed map over the grey image, and the outline of the object where there is a mask.

    The strongest colour is the map's largest absolute value.

    Args:
        image_CHW: The image as `tile_image` returns it.
        map_HW: ContrastiveCAM, at any resolution.
        object_HW: 1 on the object, 0 on the background, at any resolution.
    """
    values_HW = resize_map(map_HW / (map_HW.abs().max() or 1.0), image_CHW.shape[1:])
    drawn_CHW = overlay(values_HW, pale_grey(image_CHW))
    if object_HW is not None:
        drawn_CHW = drawn_CHW * ~outline(resize_object(object_HW, image_CHW.shape[1:]) > 0.5)
    return to_image(drawn_CHW)


def outline(object_HW: Tensor) -> Tensor:
    """Return the pixels of an object, bool, that touch a pixel of the background."""
    background_1HW = functional.max_pool2d((~object_HW).float().unsqueeze(0), 3, stride=1, padding=1)
    return object_HW & (background_1HW.squeeze(0) > 0)


def resize_map(map_HW: Tensor, size: Sequence[int], *, mode: str = "bilinear") -> Tensor:
    """Return a map at the size of an image, float32, interpolated between the centres of its cells."""
    return functional.interpolate(map_HW[None, None].float(), tuple(size), mode=mode)[0, 0]


def resize_object(object_HW: Tensor, size: Sequence[int]) -> Tensor:
    """Return a mask at the size of an image, aligned with it: each pixel has the value at its centre.

    A centre between two pixels of the mask takes the lower value, whichever side it is on.
    """
    mirrored_HW = resize_map(object_HW.flip(0, 1), size, mode="nearest-exact").flip(0, 1)
    return torch.minimum(resize_map(object_HW, size, mode="nearest-exact"), mirrored_HW)


def _repeat(image_CHW: Tensor, times: int) -> Tensor:
    return image_CHW.repeat_interleave(times, 1).repeat_interleave(times, 2)
