"""The evaluation on images whose contributions are known, and on networks of opposite habits.

| image | label | contributions of red and green | background's part | margin |
|-------|-------|--------------------------------|-------------------|--------|
| 0     | 0     | 1/4, -1/4                      | 0, -1/4           | 0      |
| 1     | 0     | 1, 0                           | 3/4, 0            | 1      |
| 2     | 1     | -1, 0                          | (none)            | -1     |
| 3     | 1     | 0, 1/4                         | 0, 1/8            | 1/4    |
"""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.trainables.evaluations.conftest import context_of, four_images, linear_classifier
from tests.trainables.evaluations.extremes import OBJECT_AREA, SIZE, background_reader, extreme_context, object_reader
from trainables.evaluations import EvaluationContext, EvaluationResult, NotPossibleError
from trainables.evaluations.channels import CHANNELS
from trainables.models import Classifier


@pytest.fixture
def context(red_or_green: Classifier) -> EvaluationContext:
    return context_of(red_or_green, four_images())


@pytest.fixture
def result(context: EvaluationContext) -> EvaluationResult:
    return CHANNELS.run(context)


def test_metrics_are_means_over_the_images(result: EvaluationResult) -> None:
    assert result.metrics.keys() == CHANNELS.directions.keys()
    assert result.metrics["channels/effective_number"] == pytest.approx((2 + 1 + 1 + 1) / 4)
    assert result.metrics["channels/num_for_90_percent"] == (2 + 1 + 1 + 1) / 4
    assert result.metrics["channels/background_share"] == pytest.approx((1 / 2 + 3 / 4 + 1 / 2) / 3)
    assert result.metrics["channels/top_background_share"] == pytest.approx((1 / 2 + 3 / 4 + 1 / 2) / 3)
    assert result.metrics["channels/additivity_error"] == 0
    assert result.metrics["channels/ablation_error"] == 0
    assert result.samples["channels/background_share"] == {"image-0": 0.5, "image-1": 0.75, "image-3": 0.5}
    # The background is 3/4, 3/4 and 7/8 of the area; channels of image 1 are active everywhere alike.
    assert result.samples["channels/background_excess"] == {"image-0": -0.25, "image-1": 0, "image-3": -0.375}
    assert result.metrics["channels/background_excess"] == pytest.approx((-0.25 + 0 - 0.375) / 3)
    assert result.samples["channels/num_for_90_percent"]["image-0"] == 2
    assert result.metrics["channels/keep_area"] == 3 / 4
    assert result.metrics["channels/keep_area_by_activation"] == pytest.approx((1 + 1 + 0 + 2 / 3) / 4)
    assert result.samples["channels/keep_area"] == {"image-0": 1, "image-1": 1, "image-2": 0, "image-3": 1}


def test_without_masks_there_is_nothing_of_the_background(red_or_green: Classifier) -> None:
    result = CHANNELS.run(context_of(red_or_green, four_images(has_mask=[False] * 4)))
    missing = {f"channels/{name}" for name in ("background_share", "background_excess", "top_background_share")}
    assert result.metrics.keys() == CHANNELS.directions.keys() - missing
    assert not missing & result.samples.keys()
    assert result.metrics["channels/effective_number"] == pytest.approx(1.25)


@pytest.mark.parametrize(("reader", "share"), [(background_reader, 1), (object_reader, 0)])
def test_channels_lie_where_the_network_looks(reader: Callable[[], Classifier], share: float) -> None:
    result = CHANNELS.run(extreme_context(reader(), num=30))
    assert result.metrics["channels/background_share"] == pytest.approx(share, abs=1e-6)
    assert result.metrics["channels/top_background_share"] == pytest.approx(share, abs=1e-6)
    assert result.metrics["channels/background_excess"] == pytest.approx(share - 1 + OBJECT_AREA / SIZE**2, abs=1e-6)
    assert result.documents["channels"]["background_share"] == pytest.approx([share] * 3, abs=1e-6)
    assert result.metrics["channels/additivity_error"] < 1e-5
    assert result.metrics["channels/ablation_error"] < 1e-5
    # One colour speaks for the label; the two others are zero.
    assert result.metrics["channels/effective_number"] == pytest.approx(1)
    whole = [curve for curve in result.curves if curve.chart == "accuracy on the channels kept"]
    assert [curve.y[-1] for curve in whole] == [1, 1, 1]


def test_pairs_are_means_over_the_images_of_a_class(result: EvaluationResult) -> None:
    first, second = result.documents["class_pairs"]
    assert (first["label"], first["rival"], first["num_pictures"], first["num_rival"]) == ("red", "green", 2, 2)
    assert (first["margin"], first["bias"], first["object"], first["background"]) == (0.5, 0, 0.25, 0.25)
    assert [(row["channel"], row["contribution"]) for row in first["strongest"]] == [(0, 0.625), (1, -0.125), (2, 0)]
    assert first["strongest"][0]["share"] == pytest.approx(5 / 6)
    assert first["strongest"][0]["background_share"] == pytest.approx(0.375 / 0.625)
    assert first["background_share"] == pytest.approx((0.375 + 0.125) / 0.75)
    assert [crop["image"] for crop in first["strongest"][0]["crops"]] == ["image-1", "image-0"]
    assert first["card"] == "red-vs-green"
    # Of class 1 only image 3 has a mask, so the parts are of that image.
    assert (second["margin"], second["object"], second["background"]) == (-0.375, 0.125, 0.125)
    assert (second["num_pictures"], second["num_with_mask"]) == (2, 1)


def test_documents_hold_each_image_and_each_channel(result: EvaluationResult) -> None:
    images, channels = result.documents["images"], result.documents["channels"]
    assert [image["margin"] for image in images] == [0, 1, -1, 0.25]
    assert [image["background"] for image in images][:2] == [-0.25, 0.75]
    assert math.isnan(images[2]["background"])
    assert channels["mean_absolute_contribution"] == [2.25 / 4, 0.5 / 4, 0]
    assert channels["mean_contribution"] == [0.25 / 4, 0, 0]
    assert json.loads(json.dumps(result.documents)).keys() == {"channels", "class_pairs", "images"}
    assert result.images.keys() == {"strongest", "red-vs-green", "green-vs-red"}


def test_curves_start_at_no_channel_removed_and_end_at_all(result: EvaluationResult) -> None:
    removed = [curve for curve in result.curves if curve.chart == "margin as channels are removed"]
    assert [curve.x for curve in removed] == [(0, 1, 2, 3)] * 3
    contribution, activation, random = (curve.y for curve in removed)
    assert contribution == (0.0625, -0.0625, 0, 0)  # Without their strongest, the images are at -1/4, 0, 0 and 0.
    assert activation[-1] == 0
    assert random == pytest.approx((0.0625, 0.0625 * 2 / 3, 0.0625 / 3, 0))


def test_the_size_of_a_batch_changes_nothing(context: EvaluationContext, result: EvaluationResult) -> None:
    other = CHANNELS.run(replace(context, batch_size=1))
    assert (other.metrics, other.samples, other.curves) == (result.metrics, result.samples, result.curves)


def test_a_bias_belongs_to_no_channel(red_or_green: Classifier) -> None:
    model = linear_classifier(red_or_green.head.weight.tolist())
    model.head.bias = torch.nn.Parameter(torch.tensor([0.5, 0.0]))
    result = CHANNELS.run(context_of(model, four_images()))
    assert [image["margin"] for image in result.documents["images"]] == [0.5, 1.5, -1.5, -0.25]
    assert [image["bias"] for image in result.documents["images"]] == [0.5, 0.5, -0.5, -0.5]
    assert result.metrics["channels/effective_number"] == pytest.approx(1.25)
    assert result.metrics["channels/additivity_error"] == 0
    assert result.metrics["channels/ablation_error"] == 0


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(NotPossibleError, match="one class has no rival"):
        CHANNELS.run(context_of(linear_classifier([[1.0, 0.0, 0.0]]), four_images()))
    with pytest.raises(NotPossibleError, match="not finite"):
        CHANNELS.run(context_of(linear_classifier([[math.inf, 0.0, 0.0], [0.0, 1.0, 0.0]]), four_images()))
