"""Effective rank and collapse on features whose spread is known."""

import math

import pytest
import torch

from trainables.evaluations.gap.geometry import collapse, effective_rank, singular_values


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.0, 2.0, 2.0, 2.0], 4.0),
        ([5.0, 0.0, 0.0], 1.0),
        ([3.0, 1.0], math.exp(3 / 4 * math.log(4 / 3) + 1 / 4 * math.log(4))),
    ],
)
def test_the_effective_rank_by_hand(values: list[float], expected: float) -> None:
    assert effective_rank(torch.tensor(values, dtype=torch.float64)) == pytest.approx(expected, abs=1e-12)


def test_features_that_are_all_the_same_have_no_rank() -> None:
    assert math.isnan(effective_rank(singular_values(torch.ones(4, 3))))


def test_singular_values_are_taken_about_the_mean() -> None:
    """About (7, 7) the features are (1, 0), (-1, 0), (0, 2) and (0, -2)."""
    features = torch.tensor([[8.0, 7.0], [6.0, 7.0], [7.0, 9.0], [7.0, 5.0]])
    found = singular_values(features)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([math.sqrt(8), math.sqrt(2)])


def test_collapse_by_hand() -> None:
    """Along y a class has variance 1, and the class means 0 and 4 have variance 4; x does not tell the classes apart.

    The class of one image counts for nothing.
    """
    features = torch.tensor([[9.0, -1.0], [-9.0, 1.0], [9.0, 3.0], [-9.0, 5.0], [70.0, 80.0]])
    assert collapse(features, torch.tensor([0, 0, 1, 1, 2])) == pytest.approx((1 / 4) / 2)


def test_features_that_are_their_class_mean_have_collapsed() -> None:
    assert collapse(torch.eye(3).repeat(4, 1), torch.arange(3).repeat(4)) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("features", [torch.ones(4, 2), torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])])
def test_without_a_difference_between_classes_there_is_no_collapse(features: torch.Tensor) -> None:
    assert math.isnan(collapse(features, torch.tensor([0, 0, 1, 1])))


def test_one_class_has_no_collapse() -> None:
    assert math.isnan(collapse(torch.eye(3), torch.tensor([0, 0, 1])))


def test_collapse_is_the_published_trace() -> None:
    """By both covariances as matrices, and the pseudo-inverse of one of them."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 5 + [1] * 3 + [2] * 9)
    features = torch.randn(17, 6, generator=generator, dtype=torch.float64) + labels.unsqueeze(1)
    own = [features[labels == label] for label in range(3)]
    within = torch.stack([torch.cov(each.T, correction=0) for each in own]).mean(0)
    between = torch.cov(torch.stack([each.mean(0) for each in own]).T, correction=0)
    expected = torch.trace(within @ torch.linalg.pinv(between, rtol=1e-10)) / 3
    assert collapse(features, labels) == pytest.approx(expected.item())
