import numpy as np
import pytest
import torch
from torch import Tensor, tensor

from trainables.evaluations.ood.separation import auroc, roc, separation


def metrics(in_distribution: list[float], ood: list[float]) -> tuple[float, float, float, float]:
    result = separation(tensor(in_distribution), tensor(ood))
    assert list(result) == ["auroc", "fpr95", "aupr_in", "aupr_out"]
    assert result["auroc"] == auroc(tensor(in_distribution), tensor(ood))
    return result["auroc"], result["fpr95"], result["aupr_in"], result["aupr_out"]


def test_a_perfect_score() -> None:
    assert metrics([3, 4], [1, 2]) == (1, 0, 1, 1)


def test_an_inverted_score() -> None:
    """The wrong two come first, so precision is 1/3 at recall 1/2 and 2/4 at recall 1."""
    assert metrics([1, 2], [3, 4]) == (0, 1, pytest.approx(5 / 12), pytest.approx(5 / 12))


def test_a_constant_score_gets_half_and_the_share_of_the_positive_class() -> None:
    assert metrics([7, 7], [7, 7]) == (0.5, 1, 0.5, 0.5)
    assert metrics([7], [7, 7, 7]) == (0.5, 1, 0.25, 0.75)


def test_ties_by_hand() -> None:
    """In distribution 2 3 4, OOD 1 2 2 3.

    Of the 12 pairs the OOD image lies lower in 3 + 2 + 2 + 1 and ties in 0 + 1 + 1 + 1: 9.5 / 12. All four
    OOD ones, 95 % being more than three, are found at 3, with two of the three in distribution. From below: 1 of 1 at
    recall 1/4, 3 of 4 at 3/4, 4 of 6 at 1. From above: 1 of 1 at 1/3, 2 of 3 at 2/3, 3 of 6 at 1.
    """
    assert metrics([2, 3, 4], [1, 2, 2, 3]) == (
        pytest.approx(9.5 / 12),
        pytest.approx(2 / 3),
        pytest.approx((1 + 2 / 3 + 1 / 2) / 3),
        pytest.approx(1 / 4 + 3 / 4 * 1 / 2 + 4 / 6 * 1 / 4),
    )


def test_nineteen_of_twenty_are_ninety_five_percent_and_nineteen_of_twenty_one_are_not() -> None:
    assert separation(tensor([5.0]), tensor([0.0] * 19 + [10.0]))["fpr95"] == 0
    assert separation(tensor([5.0]), tensor([0.0] * 19 + [10.0] * 2))["fpr95"] == 1


def test_fpr95_sees_every_step_of_a_tied_curve() -> None:
    scores = torch.arange(20.0)
    assert separation(scores, scores)["fpr95"] == pytest.approx(0.95)


@pytest.fixture
def scores() -> tuple[Tensor, Tensor]:
    """Overlapping, with many ties."""
    generator = torch.Generator().manual_seed(0)
    id_N = torch.randn(300, generator=generator) + 1
    ood_M = torch.randn(170, generator=generator)
    return (id_N * 4).round(), (ood_M * 4).round()


def test_agrees_with_pytorch_ood(scores: tuple[Tensor, Tensor]) -> None:
    from pytorch_ood.metrics import functional

    id_N, ood_M = scores
    outliers = -torch.cat([id_N, ood_M])
    labels = tensor([0] * len(id_N) + [-1] * len(ood_M))
    result = separation(id_N, ood_M)
    assert result["auroc"] == pytest.approx(functional.auroc(outliers, labels).item(), abs=1e-12)
    assert result["fpr95"] == functional.fpr_at_tpr(outliers, labels, 0.95).item()
    fpr, tpr, _ = functional.roc_curve(outliers, labels)
    points = roc(id_N, ood_M)
    assert points.fpr.tolist() == fpr.tolist()
    assert points.tpr.tolist() == tpr.tolist()
    # Its precision-recall areas are trapezoidal, and praise a score that says nothing.
    assert functional.aupr(torch.zeros(4), tensor([0, 0, -1, -1])).item() == 0.75


def test_average_precision_against_a_loop(scores: tuple[Tensor, Tensor]) -> None:
    id_N, ood_M = scores
    result = separation(id_N, ood_M)

    def average_precision(positive: Tensor, negative: Tensor) -> float:
        total, seen = 0.0, 0
        for value in sorted(set(positive.tolist())):
            hits, alarms = int((positive <= value).sum()), int((negative <= value).sum())
            total += (hits - seen) / len(positive) * hits / (hits + alarms)
            seen = hits
        return total

    assert result["aupr_out"] == pytest.approx(average_precision(ood_M, id_N), abs=1e-12)
    assert result["aupr_in"] == pytest.approx(average_precision(-id_N, -ood_M), abs=1e-12)


def test_roc_runs_from_corner_to_corner_and_ties_move_together() -> None:
    points = roc(tensor([2.0, 3, 4]), tensor([1.0, 2, 2, 3]))
    assert points.tpr.tolist() == [0, 1 / 4, 3 / 4, 1, 1]
    assert points.fpr.tolist() == [0, 0, 1 / 3, 2 / 3, 1]
    assert points.thinned().fpr.tolist() == points.fpr.tolist()


def test_a_long_curve_is_thinned_to_200_of_its_points() -> None:
    generator = torch.Generator().manual_seed(0)
    points = roc(torch.randn(400, generator=generator), torch.randn(400, generator=generator))
    thin = points.thinned()
    assert len(points.fpr) == 801
    assert len(thin.fpr) == len(thin.tpr) == 200
    assert (thin.fpr[0], thin.tpr[0], thin.fpr[-1], thin.tpr[-1]) == (0, 0, 1, 1)
    both = set(zip(points.fpr.tolist(), points.tpr.tolist(), strict=True))
    assert set(zip(thin.fpr.tolist(), thin.tpr.tolist(), strict=True)) <= both
    assert (np.diff(thin.fpr) >= 0).all()
