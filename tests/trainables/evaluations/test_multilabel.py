import math

import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score

from tests.trainables.evaluations.conftest import (
    RED_GREEN_OR_BLUE,
    context_of,
    four_images,
    linear_classifier,
    several_labels,
)
from trainables.evaluations import EVALUATIONS, run_suite
from trainables.evaluations.multilabel import average_precisions, class_influence_share, f1_scores
from trainables.models import Classifier


@pytest.fixture
def colours() -> Classifier:
    return linear_classifier(RED_GREEN_OR_BLUE)


def test_average_precision_by_hand() -> None:
    """Hits at ranks 1 and 3 of 4; all; none; and two equal logits, of which one is a hit."""
    logits = torch.tensor([[4.0, 1.0, 0.0, 2.0], [3.0, 2.0, 1.0, 2.0], [2.0, 3.0, 2.0, 1.0], [1.0, 4.0, 3.0, 0.0]])
    targets = torch.tensor([[1.0, 1, 0, 1], [0, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0]])
    result = average_precisions(logits, targets)
    torch.testing.assert_close(
        result, torch.tensor([(1 + 2 / 3) / 2, 1.0, math.nan, 0.5], dtype=torch.float64), equal_nan=True
    )


def test_scores_that_a_sigmoid_would_round_to_one_stay_different() -> None:
    logits, targets = torch.tensor([[90.0], [80.0], [70.0]]), torch.tensor([[0.0], [0.0], [1.0]])
    assert torch.unique(logits.sigmoid()).tolist() == [1.0]
    assert average_precisions(logits, targets).item() == pytest.approx(1 / 3)


def test_f1_by_hand() -> None:
    """One hit of two predicted and two shown; none predicted; not shown; a probability of 1/2 is no prediction."""
    logits = torch.tensor([[1.0, -1.0, 1.0, 0.0], [1.0, -1.0, -1.0, 1.0], [-1.0, -1.0, -1.0, -1.0]])
    targets = torch.tensor([[1.0, 1, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]])
    result = f1_scores(logits, targets)
    torch.testing.assert_close(result, torch.tensor([0.5, 0.0, math.nan, 2 / 3], dtype=torch.float64), equal_nan=True)


def test_both_are_those_of_scikit_learn_over_the_classes_that_occur() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 8, generator=generator).mul(2).round()
    targets = (torch.rand(50, 8, generator=generator) < torch.linspace(0, 0.6, 8)).float()
    occur = targets.any(0)
    assert occur.tolist() == [False] + [True] * 7
    there, scores = targets[:, occur].int().numpy(), logits[:, occur].numpy()
    precision = average_precision_score(there, scores, average="macro")
    assert average_precisions(logits, targets)[occur].mean().item() == pytest.approx(precision)
    f1 = f1_score(there, scores > 0, average="macro", zero_division=0)
    assert f1_scores(logits, targets)[occur].mean().item() == pytest.approx(f1)


def test_a_share_of_nothing_is_none() -> None:
    assert math.isnan(class_influence_share(torch.zeros(2), torch.zeros(2)))
    assert class_influence_share(torch.tensor([1.0, 2.0]), torch.tensor([9.0, 0.0])) == 0.75


def test_evaluation_by_hand(colours: Classifier) -> None:
    """Of image 1, red's 4 by 4 on the void pixel counts for neither; image 3 shows no class."""
    result = EVALUATIONS["multilabel"].run(context_of(colours, several_labels()))
    # Red is there in 0, 1, 2 of the logits 1, 2, -1, 4; green in 0 of 1, -2, 0, 1; blue in 2 of -1, 2, 1, 0.
    red, green, blue = (1 / 2 + 2 / 3 + 3 / 4) / 3, 1 / 2, 1 / 2
    # Predicted: red in 0, 1 and 3; green in 0 and 3; blue in 1 and 2.
    f1 = (2 * 2 / (3 + 3) + 2 * 1 / (2 + 1) + 2 * 1 / (2 + 1)) / 3
    # On the object, elsewhere: red in 0 1, 0; green in 0 1/2, 1/2; red in 1 0, 1; red in 2 0, 1; blue in 2 3/4, 1/4.
    on_object, elsewhere = 1 + 1 / 2 + 3 / 4, 1 / 2 + 1 + 1 + 1 / 4
    assert result.metrics == {
        "mean_average_precision": pytest.approx((red + green + blue) / 3),
        "f1": pytest.approx(f1),
        "background/class_influence_share": pytest.approx(elsewhere / (on_object + elsewhere)),
    }
    assert result.settings == {
        "num_pictures": 4,
        "num_labels": 5,
        "num_by_class": {"red": 3, "green": 1, "blue": 1, "none": 0},
        "average_precision": {"red": pytest.approx(red), "green": green, "blue": blue},
    }


def test_the_quick_suite_on_several_labels(colours: Classifier) -> None:
    metrics = run_suite(("accuracy", "multilabel", "influence"), context_of(colours, several_labels()))
    assert "val/calibration_error" not in metrics
    targets = several_labels().batch.targets_BK
    assert targets is not None
    logits = colours(several_labels().batch.images_BCHW).logits.detach()
    losses = -(targets * logits.sigmoid().log() + (1 - targets) * (1 - logits.sigmoid()).log())
    assert metrics["val/loss"] == pytest.approx(losses.sum(1).mean().item())
    assert metrics["val/accuracy"] == 0.75  # Of the ties of images 0 and 1, argmax takes the first.
    assert "val/background/influence_share" in metrics


def test_data_of_one_label_an_image_are_skipped(red_or_green: Classifier) -> None:
    metrics = run_suite(("accuracy", "multilabel"), context_of(red_or_green, four_images()))
    assert set(metrics) == {f"val/{name}" for name in EVALUATIONS["accuracy"].directions}


def test_weights_that_are_not_finite_are_measured_as_such(colours: Classifier) -> None:
    """The training loop then stops with advice."""
    colours.head.weight.data[0, 0] = torch.nan
    metrics = run_suite(("accuracy", "multilabel"), context_of(colours, several_labels()))
    assert all(math.isnan(metrics[name]) for name in ("val/loss", "val/mean_average_precision"))
    assert math.isnan(metrics["val/background/class_influence_share"])


def test_a_network_that_reads_objects_alone_has_a_share_of_zero() -> None:
    """Maps of a class are positive where it is, and nothing elsewhere; at other images' classes it is blind."""
    images = several_labels()
    batch = images.batch
    assert batch.classes_BHW is not None
    for own, expected in ((True, 0.0), (False, 1.0)):
        masks = torch.stack([(batch.classes_BHW == k + 1) == own for k in range(3)], dim=1).float()
        reading = several_labels()
        reading._images_NCHW = masks
        result = EVALUATIONS["multilabel"].run(context_of(linear_classifier(RED_GREEN_OR_BLUE), reading))
        assert result.metrics["background/class_influence_share"] == expected
