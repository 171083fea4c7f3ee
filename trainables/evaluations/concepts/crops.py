"""The parts of images at which a concept is strongest.

N images, M of them, H W image or map.
"""

from dataclasses import dataclass

from torch import Tensor

from trainables.data import Batch
from trainables.data.box import Box
from trainables.evaluations.channels.crops import crop_box

NUM_CROPS = 8
"""Crops of a concept, at most."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of an image around the cell where a concept is strongest."""

    image: str
    """Its id."""
    index: int
    """Its place in the sample."""
    activation: float
    """Of that cell."""
    box: Box


def best_crops(activations_NHW: Tensor, batch: Batch) -> list[Crop]:
    """Return a crop of each of the images where a concept is strongest, at most `NUM_CROPS`; none where it is 0."""
    strongest_N, cells_N = activations_NHW.flatten(1).max(1)
    best_M = strongest_N.argsort(descending=True, stable=True)[:NUM_CROPS]
    map_size, image_size = activations_NHW.shape[1:], batch.images_BCHW.shape[2:]
    return [
        Crop(batch.ids[index], index, strongest_N[index].item(), crop_box(int(cells_N[index]), map_size, image_size))
        for index in best_M[strongest_N[best_M] > 0].tolist()
    ]
