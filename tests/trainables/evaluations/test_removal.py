import math

import pytest
import torch

from tests.trainables.evaluations.conftest import context_of
from tests.trainables.evaluations.counting import BLUE, RED, more_than, painted, two_pixels
from tests.trainables.evaluations.extremes import CHANCE, background_reader, extreme_context, object_reader
from trainables.evaluations.removal import REMOVAL


@pytest.mark.parametrize(
    ("limit", "expected"), [(13.5, (1, 1, 1, 1)), (14.5, (1, 0, 1, 1)), (15.5, (0, 0, 1, 1)), (16.5, (0, 0, 0, 0))]
)
def test_red_that_is_left_by_hand(limit: float, expected: tuple[int, ...]) -> None:
    """Of 16 pixels 14 are red: 14 + 2/2 with the object grey, 12 + 4/2 with its box grey, 16 with boxes tiled."""
    images = painted([RED, RED, RED], [0, 0, 0], two_pixels())
    metrics = REMOVAL.run(context_of(more_than(limit, RED), images)).metrics
    names = ("object_grey", "object_box_grey", "object_tiled", "object_components_tiled")
    assert tuple(metrics[f"background/{name}"] for name in names) == expected


@pytest.mark.parametrize(("limit", "expected"), [(14.74, 1), (14.76, 0)])
def test_a_pixel_that_is_object_in_half_turns_grey_in_half(limit: float, expected: int) -> None:
    """Half of it is green and half red: 14 + 0.5 and, of the half, 0.5 / 2."""
    object_HW = two_pixels()
    images = painted([RED], [0], object_HW)
    images._background_NHW[0, 2, 2] = 0.5
    assert REMOVAL.run(context_of(more_than(limit, RED), images)).metrics["background/object_grey"] == expected


def test_every_image_counts() -> None:
    """Two of three images have the red that the network looks for, one of them with the label of the other kind."""
    images = painted([RED, BLUE, RED], [0, 0, 1], two_pixels())
    metrics = REMOVAL.run(context_of(more_than(8, RED), images)).metrics
    assert metrics == pytest.approx(dict.fromkeys(REMOVAL.directions, 1 / 3))


@pytest.mark.parametrize(("limit", "tiled", "components"), [(12.5, 1, 1), (13.5, 1, 0), (16.5, 0, 0)])
def test_the_two_tilings_differ_by_hand(limit: float, tiled: float, components: float) -> None:
    """The object is (1, 1) and (2, 2), red is (1, 2) and (2, 1), and the rest blue.

    The box around both shows row 0, so that all is blue. Of the components the second shows the red above it.
    """
    images = painted([BLUE], [0], two_pixels())
    for row, column in ((1, 2), (2, 1)):
        images._images_NCHW[0, :, row, column] = torch.tensor([1.0, 0, 0])
    metrics = REMOVAL.run(context_of(more_than(limit, BLUE), images)).metrics
    assert metrics["background/object_tiled"] == tiled
    assert metrics["background/object_components_tiled"] == components


def test_an_object_that_reaches_all_edges_cannot_be_tiled_over_and_is_counted() -> None:
    object_NHW = torch.stack([two_pixels(), torch.eye(4)])
    result = REMOVAL.run(context_of(more_than(8, RED), painted([RED, BLUE], [0, 0], object_NHW)))
    assert result.metrics["background/object_grey"] == 0.5
    assert result.metrics["background/object_tiled"] == 1
    assert (result.settings["num_not_tiled"], result.settings["num_components_not_tiled"]) == (1, 0)
    right = {name: sum(by_image.values()) / len(by_image) for name, by_image in result.samples.items()}
    assert right == result.metrics


def test_without_any_image_to_tile_the_metric_is_nan() -> None:
    result = REMOVAL.run(context_of(more_than(8, RED), painted([RED], [0], torch.eye(4).unsqueeze(0))))
    assert result.metrics["background/object_grey"] == 1
    assert math.isnan(result.metrics["background/object_tiled"])


def test_a_network_that_reads_the_background_alone_does_not_miss_the_object() -> None:
    assert set(REMOVAL.run(extreme_context(background_reader())).metrics.values()) == {1}


def test_a_network_that_reads_the_object_alone_is_left_with_chance() -> None:
    metrics = REMOVAL.run(extreme_context(object_reader())).metrics
    assert metrics == pytest.approx(dict.fromkeys(REMOVAL.directions, CHANCE))


def test_settings_say_what_was_done() -> None:
    result = REMOVAL.run(extreme_context(object_reader(), num=30, sample=20, seed=5))
    none = {"num_not_tiled": 0, "num_components_not_tiled": 0}
    assert result.settings == {"seed": 5, "num_pictures": 20, "num_without_mask": 0, "grey": 0.5, **none}
    assert set(result.metrics) == set(REMOVAL.directions)
