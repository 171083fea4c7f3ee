"""Which images a concept is shown on, and which part of them."""

import torch

from trainables.data import Batch
from trainables.data.box import Box
from trainables.evaluations.concepts.crops import Crop, best_crops

ACTIVATIONS = torch.tensor([[[0.0, 0.2]], [[0.0, 0.0]], [[0.7, 0.1]], [[0.2, 0.0]]], dtype=torch.float64)
"""Four images of a map of one row."""


def batch_of(num: int, size: int) -> Batch:
    nothing = torch.zeros(num, size, size)
    ids = tuple(f"image-{index}" for index in range(num))
    return Batch(torch.zeros(num, 3, size, size), torch.zeros(num).long(), nothing, torch.zeros(num).bool(), ids)


def test_each_image_has_one_crop_around_its_strongest_cell() -> None:
    """A crop has at least three cells a side, which is the whole image here."""
    whole = Box(0, 8, 0, 8)
    assert best_crops(ACTIVATIONS, batch_of(4, 8)) == [
        Crop("image-2", 2, 0.7, whole),
        Crop("image-0", 0, 0.2, whole),
        Crop("image-3", 3, 0.2, whole),
    ]
    assert best_crops(torch.zeros(2, 3, 3), batch_of(2, 8)) == []


def test_a_crop_lies_around_its_cell() -> None:
    """A cell has 2 by 2 pixels, so that a crop has 6 by 6 around the pixel edge 9 from the top and 5 from the left."""
    activations = torch.zeros(1, 8, 8)
    activations[0, 4, 2] = 3.0
    assert best_crops(activations, batch_of(1, 16)) == [Crop("image-0", 0, 3.0, Box(6, 12, 2, 8))]


def test_as_many_crops_as_fit() -> None:
    assert [crop.index for crop in best_crops(torch.arange(20.0).view(20, 1, 1), batch_of(20, 8))] == [
        *range(19, 11, -1)
    ]
