"""Which sizes are measured besides those of all curves."""

import math

import pytest
import torch

from trainables.evaluations.circuits.size_curve import sizes_between

SIZES = (2, 4, 8, 16)


@pytest.mark.parametrize(
    ("curve", "num", "expected"),
    [
        ([0, 0.1, 0.9, 1], 3, (5, 6, 7)),
        ([0, 0.1, 0.9, 1], 1, (6,)),
        ([0, 0.1, 0.9, 1], 50, (5, 6, 7)),
        ([0, 0.1, 0.2, 1], 3, (10, 12, 14)),
        ([0.8, 0.1, 0.2, 1], 3, ()),
        ([0, 0.1, math.nan, math.nan], 3, ()),
    ],
)
def test_sizes_lie_between_the_first_that_reaches_the_threshold_and_the_one_before(
    curve: list[float], num: int, expected: tuple[int, ...]
) -> None:
    assert sizes_between(SIZES, torch.tensor([curve], dtype=torch.float64), num) == expected
