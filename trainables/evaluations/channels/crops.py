"""The parts of images at which a channel contributes most.

M images, F channels, H W image or map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from trainables.data.box import Box
from trainables.evaluations.channels.contributions import background_share, contributions
from trainables.evaluations.channels.sample import Sample

NUM_CROPS = 6
"""Crops of a channel, at most."""
MIN_CELLS = 3
"""Side of a crop, in cells of the map."""
MIN_SHARE = 0.25
"""Side of a crop, as a share of the image's side, where that is more."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of an image around the cell with the strongest contribution of a channel."""

    image: str
    """Its id."""
    index: int
    """Its place in the sample."""
    contribution: float
    """Of the channel to the image's margin: the sum over all cells."""
    background_share: float
    """Of that contribution; nan without a mask."""
    box: Box


def best_crops(sample: Sample, channel: int, indices_M: Tensor, rivals_M: Tensor) -> list[Crop]:
    """Return the images to whose margins a channel contributes most in the direction of its mean, the strongest first.

    An image with a contribution in the other direction, or none, is left out.

    Args:
        sample: All images.
        channel: The channel f.
        indices_M: The images to choose from.
        rivals_M: The class that the label of each is compared with.
    """
    pooled, column = sample.pooled, slice(channel, channel + 1)
    of_pair = sample.weight_KF[:, column], sample.batch.labels_B[indices_M], rivals_M
    total_M = contributions(pooled.features_NF[indices_M, column], *of_pair).squeeze(1)
    background_M = contributions(pooled.background_NF[indices_M, column], *of_pair).squeeze(1)
    share_M = background_share(total_M - background_M, background_M)
    directed_M = total_M * total_M.mean().sign()
    best_M = directed_M.argsort(descending=True, stable=True)[:NUM_CROPS]
    best_M = best_M[directed_M[best_M] > 0]
    size = sample.batch.images_BCHW.shape[2:]
    found = (
        values_M[best_M].tolist() for values_M in (indices_M, total_M, share_M, pooled.cell_NF[indices_M, channel])
    )
    return [
        Crop(sample.batch.ids[index], index, contribution, share, crop_box(cell, pooled.map_size, size))
        for index, contribution, share, cell in zip(*found, strict=True)
    ]


def crop_box(cell: int, map_size: Sequence[int], image_size: Sequence[int]) -> Box:
    """Return the box around the centre of a cell, counted row by row, moved to lie within the image."""
    rows, columns = (
        _span(place, cells, pixels)
        for place, cells, pixels in zip(divmod(cell, map_size[1]), map_size, image_size, strict=True)
    )
    return Box(*rows, *columns)


def _span(place: int, cells: int, pixels: int) -> tuple[int, int]:
    side = min(pixels, round(max(MIN_CELLS / cells, MIN_SHARE) * pixels))
    start = round((place + 0.5) * pixels / cells - side / 2)
    start = min(max(start, 0), pixels - side)
    return start, start + side
