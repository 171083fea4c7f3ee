import math

import pytest
import torch

from tests.trainables.evaluations.conftest import Images, context_of, four_images
from trainables.evaluations.shift import SHIFT, confidence
from trainables.models import Classifier

SURE, SLIGHT = math.e / (1 + math.e), math.e**0.25 / (1 + math.e**0.25)


def relabelled(labels: list[int]) -> Images:
    images = four_images()
    images._labels_N = torch.tensor(labels)
    return images


def test_confidence_is_the_mean_of_the_highest_probability() -> None:
    """Of the probabilities 0.9, 0.8 and 0.6 the first and the last are mistakes."""
    logits = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]).log()
    assert confidence(logits, torch.tensor([1, 1, 1])) == {
        "confidence": pytest.approx(2.3 / 3),
        "confidence_on_mistakes": pytest.approx(0.75),
    }


def test_without_a_mistake_there_is_no_confidence_on_mistakes() -> None:
    result = confidence(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    assert result["confidence"] == pytest.approx(1 / (1 + math.exp(-2)))
    assert math.isnan(result["confidence_on_mistakes"])


def test_four_images_by_hand(red_or_green: Classifier) -> None:
    """The network is a half sure of class 0, sure of it twice, and slightly of class 1; the third is wrong."""
    result = SHIFT.run(context_of(red_or_green, four_images(), shift={"elsewhere": four_images()}))
    assert result.metrics == {
        "shift/elsewhere/accuracy": 0.75,
        "shift/elsewhere/confidence": pytest.approx((0.5 + 2 * SURE + SLIGHT) / 4),
        "shift/elsewhere/confidence_on_mistakes": pytest.approx(SURE),
        "shift/elsewhere/calibration_error": pytest.approx((0.5 + abs(1 - 2 * SURE) + (1 - SLIGHT)) / 4),
    }


def test_each_set_is_measured_under_its_name(red_or_green: Classifier) -> None:
    """Flipped, only image 2 is right: the tie of image 0 goes to class 0."""
    shift = {"same": four_images(), "flipped": relabelled([1, 1, 0, 0]), "few": four_images()}
    shift["few"]._labels_N = shift["few"]._labels_N[:2]
    result = SHIFT.run(context_of(red_or_green, four_images(), shift=shift))
    accuracies = {name: value for name, value in result.metrics.items() if name.endswith("/accuracy")}
    assert accuracies == {"shift/same/accuracy": 0.75, "shift/flipped/accuracy": 0.25, "shift/few/accuracy": 1.0}
    assert result.settings == {"num_pictures": {"same": 4, "flipped": 4, "few": 2}}
    right = {"image-0": 0.0, "image-1": 0.0, "image-2": 1.0, "image-3": 0.0}
    assert result.samples["shift/flipped/accuracy"] == right
    assert math.isnan(result.metrics["shift/few/confidence_on_mistakes"])
    assert result.metrics["shift/flipped/confidence_on_mistakes"] == pytest.approx((0.5 + SURE + SLIGHT) / 3)
