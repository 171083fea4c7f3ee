"""A picture and its map at the size in which a contact sheet shows them.

C channels, H W picture or map.
"""

from math import ceil, floor

from PIL import Image
from torch import Tensor
from torch.nn import functional

from trainables.cams.colours import overlay, pale_grey, to_image

TALLEST = 1.5
"""Largest height of a tile, in widths of the space that it has."""
SHARP = 0.7
"""A picture is enlarged by a whole number, so that its pixels stay squares, where that fills so much of the space."""


def tile_picture(image_CHW: Tensor, width: int) -> Tensor:
    """Return a picture of 1 or 3 channels as 3,H,W that fits into `width` pixels and 1.5 times as many rows."""
    picture_3HW = image_CHW.float().expand(3, -1, -1)
    height_before, width_before = picture_3HW.shape[1:]
    scale = min(width / width_before, TALLEST * width / height_before)
    if floor(scale) >= SHARP * scale:
        return _repeat(picture_3HW, floor(scale))
    size = [max(1, round(height_before * scale)), max(1, round(width_before * scale))]
    return functional.interpolate(
        _repeat(picture_3HW, ceil(scale)).unsqueeze(0), size, mode="bilinear", antialias=True
    ).squeeze(0)


def draw_map(picture_CHW: Tensor, map_HW: Tensor, object_HW: Tensor | None) -> Image.Image:
    """Draw a signed map over the grey picture, and the outline of the object where there is a mask.

    The strongest colour is the map's largest absolute value.

    Args:
        picture_CHW: The picture as `tile_picture` returns it.
        map_HW: ContrastiveCAM, at any resolution.
        object_HW: 1 on the object, 0 on the background, at any resolution.
    """
    values_HW = _resize(map_HW / (map_HW.abs().max() or 1.0), picture_CHW, "bilinear")
    drawn_CHW = overlay(values_HW, pale_grey(picture_CHW))
    if object_HW is not None:
        drawn_CHW = drawn_CHW * ~outline(_resize(object_HW, picture_CHW, "nearest") > 0.5)
    return to_image(drawn_CHW)


def outline(object_HW: Tensor) -> Tensor:
    """Return the pixels of an object, bool, that touch a pixel that is none of it."""
    outside_1HW = functional.max_pool2d((~object_HW).float().unsqueeze(0), 3, stride=1, padding=1)
    return object_HW & (outside_1HW.squeeze(0) > 0)


def _resize(values_HW: Tensor, like_CHW: Tensor, mode: str) -> Tensor:
    return functional.interpolate(values_HW[None, None].float(), like_CHW.shape[1:], mode=mode)[0, 0]


def _repeat(picture_CHW: Tensor, times: int) -> Tensor:
    return picture_CHW.repeat_interleave(times, 1).repeat_interleave(times, 2)
