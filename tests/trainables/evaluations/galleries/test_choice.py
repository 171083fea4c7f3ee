"""Predictions written down by hand, and the images that follow from them."""

from math import nan

import pytest
import torch

from trainables.evaluations.galleries.choice import choose_classes, choose_rows
from trainables.evaluations.galleries.readings import Readings

LABELS = torch.tensor([0, 0, 1, 0, 0, 1, 0, 0, 2])


def readings(confidence: list[float] | None = None) -> Readings:
    """Return readings of nine images, of which 0, 1, 5, 6 and 7 are right."""
    num = len(LABELS)
    return Readings(
        predicted_N=torch.tensor([0, 0, 2, 1, 2, 1, 0, 0, 0]),
        confidence_N=torch.tensor(confidence or [0.5, 0.9, 0.8, 0.6, 0.7, 1.0, 0.9, 0.4, 0.99], dtype=torch.float64),
        rival_N=torch.zeros(num, dtype=torch.int64),
        contrast_NHW=torch.zeros(num, 1, 1),
        influence_NHW=torch.zeros(num, 1, 1),
        background_share_N=torch.tensor([0.3, nan, 0.1, 0.0, 1.0, 0.2, 0.3, 0.25, nan]),
    )


@pytest.mark.parametrize(
    ("label", "most", "hits", "mistakes", "least_background"),
    [
        (0, 8, [1, 6, 0, 7], [4, 3], [3, 7, 0, 6, 4]),
        (0, 3, [1, 6, 0], [4, 3], [3, 7, 0]),
        (0, 1, [1], [4], [3]),
        (1, 8, [5], [2], [2, 5]),
        (2, 8, [], [8], []),
        (3, 8, [], [], []),
    ],
)
def test_rows_by_hand(label: int, most: int, hits: list[int], mistakes: list[int], least_background: list[int]) -> None:
    rows = choose_rows(readings(), LABELS, label, most)
    assert rows.hits == hits
    assert rows.mistakes == mistakes
    assert rows.least_background == least_background


def test_equal_confidence_keeps_the_order_of_the_sample() -> None:
    rows = choose_rows(readings([1.0] * 9), LABELS, 0, 3)
    assert rows.hits == [0, 1, 6]
    assert rows.mistakes == [3, 4]


def test_confidence_is_compared_in_double_precision() -> None:
    """Both are 1 in single precision."""
    sure, surer = 1 - 2e-10, 1 - 1e-10
    assert torch.tensor(sure).item() == torch.tensor(surer).item() == 1
    assert choose_rows(readings([sure, surer] + [0.0] * 7), LABELS, 0, 2).hits == [1, 0]


RIGHT = torch.tensor([True, True, False, False, False, True, True, True, False])


@pytest.mark.parametrize(("most", "expected"), [(1, [2]), (2, [1, 2]), (3, [0, 1, 2]), (9, [0, 1, 2])])
def test_classes_with_the_lowest_accuracy_are_chosen(most: int, expected: list[int]) -> None:
    """The accuracies are 4/6, 1/2 and 0/1."""
    assert choose_classes(LABELS, RIGHT, most) == expected


def test_of_classes_with_equal_accuracy_the_larger_then_the_first_are_chosen() -> None:
    labels = torch.tensor([9, 9, 4, 7, 7, 2])
    none = torch.zeros(6, dtype=torch.bool)
    assert choose_classes(labels, none, 1) == [7]
    assert choose_classes(labels, none, 2) == [7, 9]
    assert choose_classes(labels, none, 3) == [2, 7, 9]


def test_many_classes_stay_bounded() -> None:
    labels = torch.arange(919).repeat(2)
    right = labels % 2 == 0
    assert choose_classes(labels, right, 12) == list(range(1, 24, 2))
