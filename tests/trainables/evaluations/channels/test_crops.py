"""Which images a channel is shown on, and which part of them."""

import pytest
import torch

from tests.trainables.evaluations.conftest import context_of, four_images
from trainables.data.box import Box
from trainables.evaluations.channels.crops import best_crops, crop_box
from trainables.evaluations.channels.sample import Sample, read_sample
from trainables.models import Classifier

RED, GREEN, BLUE = range(3)


@pytest.fixture
def sample(red_or_green: Classifier) -> Sample:
    return read_sample(context_of(red_or_green, four_images()))


def shown(sample: Sample, channel: int, label: int, rival: int) -> list[tuple[str, float, float]]:
    indices = (sample.batch.labels_B == label).nonzero().squeeze(1)
    crops = best_crops(sample, channel, indices, torch.full_like(indices, rival))
    return [(crop.image, crop.contribution, crop.background_share) for crop in crops]


def test_images_are_ranked_by_the_contribution_in_the_direction_of_its_mean(sample: Sample) -> None:
    assert shown(sample, RED, 0, 1) == [("image-1", 1, 0.75), ("image-0", 0.25, 0)]
    assert shown(sample, GREEN, 0, 1) == [("image-0", -0.25, 1)]
    assert shown(sample, GREEN, 1, 0) == [("image-3", 0.25, 0.5)]
    assert shown(sample, BLUE, 0, 1) == []


def test_a_channel_that_speaks_for_the_rival_is_shown_where_it_does_so_most(sample: Sample) -> None:
    assert [image for image, *_ in shown(sample, RED, 1, 0)] == ["image-2"]


@pytest.mark.parametrize(
    ("cell", "map_size", "image_size", "expected"),
    [
        (0, (8, 8), (32, 32), Box(0, 12, 0, 12)),  # Three cells of 4 pixels.
        (3 * 8 + 4, (8, 8), (32, 32), Box(8, 20, 12, 24)),  # Its centre is at 14 and 18.
        (63, (8, 8), (32, 32), Box(20, 32, 20, 32)),
        (10 * 20 + 10, (20, 20), (160, 160), Box(64, 104, 64, 104)),  # A quarter of the image.
        (3, (2, 2), (10, 20), Box(0, 10, 0, 20)),
        (5, (2, 4), (40, 80), Box(0, 40, 0, 60)),  # Row 1 and column 1 of a map that is wider than high.
    ],
)
def test_box_of_a_cell(cell: int, map_size: tuple[int, int], image_size: tuple[int, int], expected: Box) -> None:
    assert crop_box(cell, map_size, image_size) == expected


def test_the_cell_is_where_the_contribution_is_largest_whatever_its_sign(red_or_green: Classifier) -> None:
    images = four_images()
    images._images_NCHW[0, 0] = torch.tensor([[0.5, -1.0], [-0.9, 0.2]])  # The mean is negative.
    images._images_NCHW[1, 0] = torch.tensor([[0.5, -0.1], [1.0, 0.2]])
    sample = read_sample(context_of(red_or_green, images))
    assert sample.pooled.cell_NF[:2, RED].tolist() == [1, 2]
