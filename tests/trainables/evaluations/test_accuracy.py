import math

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from tests.trainables.evaluations.conftest import context_of, four_images
from trainables.evaluations import EVALUATIONS
from trainables.evaluations.accuracy import calibration_error, top1
from trainables.models import Classifier


def logits_of(*confidences: float) -> Tensor:
    """Two classes; class 0 has the given probabilities."""
    return torch.tensor([[p, 1 - p] for p in confidences]).log()


def test_top1_is_the_share_of_hits() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [5.0, 4.0, 0.0], [0.0, 0.0, 0.5]])
    assert top1(logits, torch.tensor([0, 1, 1, 2])) == 0.75


def test_calibration_error_of_two_bins() -> None:
    """Bin (0.8, 0.867] has 3 hits of 4 at 0.82; bin (0.6, 0.667] has 0 of 1 at 0.65."""
    logits = logits_of(0.82, 0.82, 0.82, 0.82, 0.65)
    labels = torch.tensor([0, 0, 0, 1, 1])
    expected = 4 / 5 * abs(3 / 4 - 0.82) + 1 / 5 * 0.65
    assert calibration_error(logits, labels) == pytest.approx(expected, abs=1e-6)


def test_calibration_error_counts_both_signs_within_a_bin_together_and_across_bins_apart() -> None:
    logits, labels = logits_of(0.75, 0.78, 0.55), torch.tensor([0, 1, 0])
    within, across = abs(1 - 0.75 - 0.78), 1 - 0.55
    assert calibration_error(logits, labels) == pytest.approx((within + across) / 3, abs=1e-6)


def test_full_confidence_is_in_the_last_of_the_fifteen_bins() -> None:
    """Alone in a sixteenth bin the mistake would give 0.525."""
    logits = torch.tensor([[0.0, 200.0], [math.log(0.95), math.log(0.05)]])
    assert calibration_error(logits, torch.tensor([0, 0])) == pytest.approx(abs(1 - 1.95) / 2, abs=1e-6)


def test_a_confidence_on_the_edge_of_two_bins_belongs_to_the_lower() -> None:
    """With two bins, 1/2 is in (0, 1/2] together with 0.4."""
    logits = torch.tensor([[0.0, 0.0, -1000.0], [math.log(0.4), math.log(0.3), math.log(0.3)]])
    result = calibration_error(logits, torch.tensor([0, 1]), num_bins=2)
    assert result == pytest.approx(abs(1 - 0.5 - 0.4) / 2, abs=1e-6)


@pytest.mark.parametrize(("label", "expected"), [(0, 0.0), (1, 1.0)])
def test_calibration_error_of_the_extremes(label: int, expected: float) -> None:
    logits = torch.tensor([[300.0, 0.0]]).expand(7, 2)
    assert calibration_error(logits, torch.full((7,), label)) == expected


def test_calibration_error_is_that_of_a_loop_over_bins() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(500, 4, generator=generator)
    labels = torch.randint(4, (500,), generator=generator)
    confidences, classes = logits.double().softmax(1).max(1)
    expected = 0.0
    for number in range(15):
        in_bin = (confidences > number / 15) & (confidences <= (number + 1) / 15)
        if in_bin.any():
            accuracy = (classes == labels)[in_bin].double().mean()
            expected += float(in_bin.double().mean() * (accuracy - confidences[in_bin].mean()).abs())
    assert calibration_error(logits, labels) == pytest.approx(expected, abs=1e-9)


def test_calibration_error_is_that_of_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = 2 * torch.randn(500, 4, generator=generator), torch.randint(4, (500,), generator=generator)
    expected = multiclass_calibration_error(logits.softmax(1), labels, num_classes=4, n_bins=15, norm="l1")
    assert calibration_error(logits, labels) == pytest.approx(expected.item(), abs=1e-6)


def test_evaluation_of_four_images_by_hand(red_or_green: Classifier) -> None:
    images = four_images()
    result = EVALUATIONS["accuracy"].run(context_of(red_or_green, images))
    e = math.e
    losses = [math.log(2), math.log(1 + 1 / e), math.log(1 + e), math.log(1 + e**-0.25)]
    sure, slight = e / (1 + e), e**0.25 / (1 + e**0.25)
    # Of the tied logits of image 0, argmax takes the first: a hit at 1/2. Images 0 and 3 lie in different bins.
    assert (math.ceil(0.5 * 15), math.ceil(slight * 15), math.ceil(sure * 15)) == (8, 9, 11)
    calibration = (0.5 + abs(1 - 2 * sure) + (1 - slight)) / 4
    assert result.settings == {"num_pictures": 4}
    right = {"image-0": 1.0, "image-1": 1.0, "image-2": 0.0, "image-3": 1.0}
    assert result.samples == {"accuracy": right}
    assert result.metrics == {
        "loss": pytest.approx(sum(losses) / 4, abs=1e-6),
        "accuracy": 0.75,
        "calibration_error": pytest.approx(calibration, abs=1e-6),
        "faithfulness/max_logit_error": 0.0,
    }


def test_weights_that_are_not_finite_are_measured_as_such(red_or_green: Classifier) -> None:
    """The training loop then stops with advice."""
    red_or_green.head.weight.data[0, 0] = torch.nan
    context = context_of(red_or_green, four_images())
    metrics = EVALUATIONS["accuracy"].run(context).metrics | EVALUATIONS["influence"].run(context).metrics
    assert math.isnan(metrics["loss"])
    assert math.isnan(metrics["faithfulness/max_logit_error"])
    assert math.isnan(metrics["background/influence_share"])


def test_logits_too_large_for_the_digits_of_a_float32_are_warned_of(
    red_or_green: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    images = four_images()
    images._images_NCHW += 0.1 * torch.rand(images._images_NCHW.shape, generator=torch.Generator().manual_seed(0))
    for scale, is_warned_of in ((1.0, False), (1e6, True)):
        with torch.no_grad():
            red_or_green.head.weight.mul_(scale)
        result = EVALUATIONS["accuracy"].run(context_of(red_or_green, images))
        assert (result.metrics["faithfulness/max_logit_error"] > 1e-4) == is_warned_of
        assert ("lower optim.learning_rate or set training.clip_norm" in caplog.text) == is_warned_of
