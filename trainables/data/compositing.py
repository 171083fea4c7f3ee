"""An object of one image before the scene of another: edges, scenes without their objects, and what lies before what.

Pixels are uint8, HWC in RGB. An object's map holds its share of each pixel, HW in [0, 1].
H W image height and width, C channels.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from trainables.data.file_reader import Pixels

Share = npt.NDArray[np.floating[Any]]
_RIM = 3
"""Pixels around an object that are taken out with it, since they show some of it."""
_FADE = 6
"""Pixels over which what fills a hole fades into the image."""
_SHARPNESS = 6
"""How much nearer a side must be to count more: a weight is the inverse distance to this power."""
MIN_STRIP = 1 / 8
"""Smallest strip of background next to an object that can fill its place, in lengths of the image."""


class _Side(NamedTuple):
    """The background on one side of a box."""

    strip_HWC: Pixels
    axis: int
    """Along which it leads away from the box."""
    comes_after: bool
    """Whether it is below or to the right of the box."""


def soft_edge(object_HW: Share, sigma: float) -> Share:
    """Return an object whose edge is faded inwards: nothing from outside the object becomes visible.

    A pixel keeps `2 b - 1` of itself, where b is the object blurred by a Gaussian, and nothing where that is negative:
    b is 1/2 at a straight edge. An object so thin that no pixel would keep half of itself stays as it is.

    Args:
        object_HW: The object.
        sigma: Standard deviation of the Gaussian in pixels; 0 leaves the edge as it is.
    """
    blurred_HW = ndimage.gaussian_filter(object_HW, sigma, mode="nearest") if sigma else np.ones_like(object_HW)
    faded_HW: Share = object_HW * (2 * blurred_HW - 1).clip(0, 1)
    return faded_HW if faded_HW.max() >= 0.5 else object_HW


def composite(front_HWC: Pixels, share_HW: Share, back_HWC: Pixels) -> Pixels:
    """Return `share * front + (1 - share) * back`, rounded; where the share is 0 or 1, one of both exactly."""
    share_HW1 = share_HW[..., None]
    mixed_HWC: Pixels = np.rint(share_HW1 * front_HWC + (1 - share_HW1) * back_HWC).astype(np.uint8)
    return mixed_HWC


def shrunk(pixels_HWC: Pixels, shorter: int | None) -> Pixels:
    """Return an image whose shorter side has at most so many pixels."""
    height, width = pixels_HWC.shape[:2]
    scale = 1.0 if shorter is None else min(1.0, shorter / min(height, width))
    return resized(pixels_HWC, (max(1, round(scale * height)), max(1, round(scale * width))))


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return an image or a map of 8 bits at another height and width, antialiased."""
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BICUBIC))


def covering(scene_HWC: Pixels, size: tuple[int, int], place: float) -> Pixels:
    """Return the part of a scene that fills a height and width, resized alike in both directions.

    Args:
        scene_HWC: The scene.
        size: Height and width.
        place: Which part, in [0, 1]: from its top or left end to its other end.
    """
    (height, width), (scene_height, scene_width) = size, scene_HWC.shape[:2]
    scale = max(height / scene_height, width / scene_width)
    whole_HWC = resized(scene_HWC, (max(height, round(scale * scene_height)), max(width, round(scale * scene_width))))
    top, left = (int(place * (length - part)) for length, part in zip(whole_HWC.shape[:2], size, strict=True))
    return whole_HWC[top : top + height, left : left + width]


def without_object(pixels_HWC: Pixels, object_HW: npt.NDArray[np.bool_]) -> Pixels | None:
    """Return an image whose object is filled by the background around it; None where there is too little of that.

    Each side of the box around the object is mirrored into the box, so that nothing breaks off at its edge. The nearer
    a side, and the more there is of it, the more it counts. Only the object itself and a rim of it is filled.
    """
    if not object_HW.any():
        return pixels_HWC
    hole_HW = ndimage.binary_dilation(object_HW, iterations=_RIM)
    box = ndimage.find_objects(hole_HW.astype(np.uint8))[0]
    sides = [side for side in _sides(pixels_HWC, *box) if side.strip_HWC.shape[side.axis]]
    if not any(side.strip_HWC.shape[side.axis] >= MIN_STRIP * pixels_HWC.shape[side.axis] for side in sides):
        return None
    filled_HWC = pixels_HWC.copy()
    filled_HWC[box] = _mirrored(sides, *filled_HWC[box].shape[:2])
    fade_HW: Share = (1 - ndimage.distance_transform_edt(~hole_HW) / _FADE).clip(0, 1).astype(np.float32)
    return composite(filled_HWC, fade_HW, pixels_HWC)


def _sides(pixels_HWC: Pixels, rows: slice, columns: slice) -> Iterator[_Side]:
    yield _Side(pixels_HWC[: rows.start, columns], 0, comes_after=False)
    yield _Side(pixels_HWC[rows.stop :, columns], 0, comes_after=True)
    yield _Side(pixels_HWC[rows, : columns.start], 1, comes_after=False)
    yield _Side(pixels_HWC[rows, columns.stop :], 1, comes_after=True)


def _mirrored(sides: list[_Side], height: int, width: int) -> Pixels:
    """Return the strips, each mirrored at its edge of the box and again at its own ends, weighted by their distance."""
    total_HWC, weights_HW1 = np.zeros((height, width, 3)), np.zeros((height, width, 1))
    for strip_HWC, axis, comes_after in sides:
        length, depth = (height, width)[axis], strip_HWC.shape[axis]
        away = np.arange(length)[::-1] if comes_after else np.arange(length)
        there_and_back = np.concatenate([np.arange(depth), np.arange(depth)[::-1]])
        places = np.resize(there_and_back, length)[away]
        places = places if comes_after else depth - 1 - places
        weight = (depth / (away + 0.5)) ** _SHARPNESS
        weight_HW1 = weight.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        total_HWC += weight_HW1 * np.take(strip_HWC, places, axis)
        weights_HW1 += weight_HW1
    mixed_HWC: Pixels = np.rint(total_HWC / weights_HW1).astype(np.uint8)
    return mixed_HWC


def mean_colour(pixels_HWC: Pixels) -> tuple[float, float, float]:
    """Return `log(1 + mean)` of red, green and blue, so that equal ratios of brightness are equally far apart."""
    red, green, blue = np.log1p(pixels_HWC.reshape(-1, 3).mean(0)).tolist()
    return red, green, blue
