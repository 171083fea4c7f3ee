import math

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import Images, context_of, four_images, linear_classifier
from tests.trainables.evaluations.extremes import background_reader, extreme_context, object_reader
from trainables.config import Suite
from trainables.evaluations import NotPossibleError
from trainables.evaluations.localisation import LOCALISATION, decisive_maps, energy, energy_on_object, overlap
from trainables.models import Classifier

ENERGY, IOU = "localisation/energy_pointing_game", "localisation/contrastive_iou"
BEST = "localisation/contrastive_iou_best"


def test_the_map_is_of_the_predicted_class_against_the_runner_up() -> None:
    """Image 0 is of class 2 before 1, image 1 of class 0 before 2."""
    cams = torch.tensor([[[[1.0, 2.0]], [[3.0, 5.0]], [[7.0, 11.0]]]]).expand(2, -1, -1, -1)
    maps = decisive_maps(cams, torch.tensor([[0.0, 1.0, 2.0], [9.0, -1.0, 3.0]]))
    assert maps.tolist() == [[[4, 6]], [[-6, -9]]]


def test_energy_is_the_positive_part() -> None:
    assert energy(torch.tensor([[[-1.0, 2.0], [0.0, 3.0]]]), (2, 2)).tolist() == [[[0, 2], [0, 3]]]


def test_a_map_is_enlarged_bilinearly_once_its_negative_part_is_gone() -> None:
    """Twice the width without aligned corners: the samples lie at -0.25, 0.25, 0.75 and 1.25 cells of 4 and 0."""
    assert energy(torch.tensor([[[4.0, -100.0]]]), (1, 4)).tolist() == [[[4, 3, 1, 0]]]


OBJECT = torch.tensor([[[1.0, 0.5], [0.0, 0.0]]])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[3.0, 0.0], [1.0, 0.0]], 3 / 4),
        ([[1.0, 2.0], [1.0, 0.0]], (1 + 1) / 4),  # Half of the second pixel is object.
        ([[0.0, 0.0], [0.0, 5.0]], 0),
        ([[7.0, 0.0], [0.0, 0.0]], 1),
        ([[0.0, 0.0], [0.0, 0.0]], math.nan),
        ([[9e-8, 0.0], [0.0, 0.0]], math.nan),
        ([[math.nan, 0.0], [0.0, 0.0]], math.nan),
    ],
)
def test_energy_on_the_object_by_hand(values: list[list[float]], expected: float) -> None:
    assert energy_on_object(torch.tensor([values]), OBJECT).item() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("values", "threshold", "expected"),
    [
        ([[4.0, 0.0], [0.0, 0.0]], 0.5, 1 / 1.5),
        ([[4.0, 3.0], [0.0, 0.0]], 0.5, 1.5 / 2),
        ([[4.0, 2.0], [0.0, 0.0]], 0.5, 1 / 1.5),  # Half of the largest is not above half of it.
        ([[4.0, 2.0], [0.0, 0.0]], 0.4, 1.5 / 2),
        ([[4.0, 4.0], [4.0, 4.0]], 0.5, 1.5 / 4),
        ([[0.0, 0.0], [0.0, 4.0]], 0.5, 0),
        ([[0.0, 0.0], [0.0, 0.0]], 0.5, math.nan),
    ],
)
def test_overlap_by_hand(values: list[list[float]], threshold: float, expected: float) -> None:
    result = overlap(torch.tensor([values]), OBJECT, threshold=threshold)
    assert result.item() == pytest.approx(expected, nan_ok=True)


def test_an_empty_object_is_never_a_hit() -> None:
    values, nothing = torch.ones(1, 2, 2), torch.zeros(1, 2, 2)
    assert energy_on_object(values, nothing).isnan().all()
    assert overlap(values, nothing, threshold=0.5).isnan().all()
    assert overlap(nothing, nothing, threshold=0.5).isnan().all()


def red_left(objects: list[list[float]], has_mask: list[bool]) -> Images:
    """Return images of one row of four pixels, the two on the left red; each with its own object's row."""
    images = torch.zeros(len(objects), 3, 1, 4)
    images[:, 0, :, :2] = 1
    return Images(images, [0] * len(objects), 1 - torch.tensor(objects).unsqueeze(1), has_mask)


def test_images_by_hand(red_or_green: Classifier) -> None:
    """The map is 1/4 on the two red pixels: of which the objects hold one, both and none; the last have no mask."""
    objects = [[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0], [0.0] * 4]
    result = LOCALISATION.run(context_of(red_or_green, red_left(objects, [True, True, True, False, True])))
    assert result.metrics[ENERGY] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert result.metrics[IOU] == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert result.samples[ENERGY] == pytest.approx({"image-0": 1 / 2, "image-1": 1, "image-2": 0})
    assert result.samples[IOU] == pytest.approx({"image-0": 1 / 2, "image-1": 2 / 3, "image-2": 0})
    assert result.settings["num_pictures"] == 3
    assert result.settings["num_without_mask"] == 2
    assert result.settings["num_empty_maps"] == 0


def test_the_best_threshold_is_one_for_all_images(red_or_green: Classifier) -> None:
    """Red is 1, 0.3 and 0.12 in the first image's three object pixels, and 1 and 0.12 in the second's two, of which
    the paler one is no object: below 0.1 the overlaps are 1 and 1/2, from 0.15 on 2/3 and 1, from 0.3 on 1/3 and 1."""
    images = red_left([[1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]], [True, True])
    images._images_NCHW[:, 0, 0] = torch.tensor([[1.0, 0.3, 0.12, 0.0], [1.0, 0.12, 0.0, 0.0]])
    result = LOCALISATION.run(context_of(red_or_green, images))
    assert result.metrics[IOU] == pytest.approx((1 / 3 + 1) / 2)
    assert result.metrics[BEST] == pytest.approx((2 / 3 + 1) / 2)
    assert result.samples[BEST] == pytest.approx({"image-0": 2 / 3, "image-1": 1})
    assert result.settings["iou_threshold_best"] == 0.15


def test_a_map_without_energy_is_left_out_and_counted(red_or_green: Classifier) -> None:
    """The second image is black, so that its map is zero."""
    images = red_left([[1.0, 0.0, 0.0, 0.0]] * 2, [True, True])
    images._images_NCHW[1] = 0
    result = LOCALISATION.run(context_of(red_or_green, images))
    assert result.metrics == {ENERGY: 0.5, IOU: 0.5, BEST: 0.5}
    assert result.settings["num_empty_maps"] == 1


def test_maps_that_are_all_empty_make_no_metric(red_or_green: Classifier) -> None:
    images = red_left([[1.0, 0.0, 0.0, 0.0]] * 2, [True, True])
    images._images_NCHW[:] = 0
    with pytest.raises(NotPossibleError, match="none of the maps of 2 images has a positive part"):
        LOCALISATION.run(context_of(red_or_green, images))


def test_the_map_is_of_the_predicted_class_and_not_of_the_label(red_or_green: Classifier) -> None:
    """Image 1 of the four is right and all red, image 2 is the same with the wrong label: their maps are alike."""
    images = four_images(has_mask=[False, True, True, False])
    images._background_NHW[2] = images._background_NHW[1]
    result = LOCALISATION.run(context_of(red_or_green, images))
    assert result.metrics == {ENERGY: 0.25, IOU: 0.25, BEST: 0.25}


class Halves(nn.Module):
    """Features at half the resolution."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(images_BCHW, (1, 2))


def test_maps_are_brought_to_the_mask_s_size() -> None:
    """The map of two cells, 1/2 and 0, becomes 1/2, 3/8, 1/8 and 0 over four pixels."""
    model = linear_classifier([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], trunk=Halves())
    result = LOCALISATION.run(context_of(model, red_left([[0.0, 1.0, 1.0, 0.0]], [True])))
    assert result.metrics[ENERGY] == pytest.approx((3 / 8 + 1 / 8) / 1)
    assert result.metrics[IOU] == pytest.approx(1 / 3)


def test_the_threshold_is_a_setting_and_stated(red_or_green: Classifier) -> None:
    """The first pixel's map is twice the second's."""
    images = red_left([[1.0, 1.0, 0.0, 0.0]], [True])
    images._images_NCHW[0, 0, 0, 1] = 0.5
    for threshold, expected in ((0.6, 1 / 2), (0.4, 1)):
        settings = Suite(background={"iou_threshold": threshold})
        result = LOCALISATION.run(context_of(red_or_green, images, settings=settings))
        assert result.metrics[IOU] == expected
        assert result.settings["iou_threshold"] == threshold
        assert result.settings["resampling"] == "bilinear"
        (curve,) = result.curves
        assert dict(zip(curve.x, curve.y, strict=True)) == {x: 1 if x < 0.5 else 1 / 2 for x in curve.x}


def test_one_class_has_no_rival() -> None:
    with pytest.raises(NotPossibleError, match="no rival"):
        LOCALISATION.run(context_of(linear_classifier([[1.0, 0.0, 0.0]]), four_images()))


def test_a_network_that_reads_the_background_alone_never_points_at_the_object() -> None:
    result = LOCALISATION.run(extreme_context(background_reader()))
    assert result.metrics == {ENERGY: 0, IOU: 0, BEST: 0}
    assert result.settings["num_empty_maps"] == 0


def test_a_network_that_reads_the_object_alone_points_at_it() -> None:
    result = LOCALISATION.run(extreme_context(object_reader()))
    assert result.metrics == {ENERGY: pytest.approx(1), IOU: pytest.approx(1), BEST: pytest.approx(1)}
    assert set(result.metrics) == set(LOCALISATION.directions)


@pytest.mark.parametrize("batch_size", [1, 7, 200])
def test_metrics_do_not_depend_on_the_batches(batch_size: int) -> None:
    expected = LOCALISATION.run(extreme_context(object_reader(), num=30))
    result = LOCALISATION.run(extreme_context(object_reader(), num=30, batch_size=batch_size))
    assert result.metrics == pytest.approx(expected.metrics, abs=1e-12)
