"""The error of an accuracy, worked out by hand and by scipy."""

import math

import pytest
from scipy.stats import binomtest

from trainables.standard_error import standard_error


@pytest.mark.parametrize(("accuracy", "expected"), [(0.0, 0.1), (0.25, 0.2), (0.75, 0.2), (1.0, 0.1)])
def test_error_of_four_images_by_hand(accuracy: float, expected: float) -> None:
    """`sqrt(3/64 + 1/64) / (5/4) = 0.2` and `sqrt(1/64) / (5/4) = 0.1`."""
    assert standard_error(accuracy, 4) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("num_right", "num"), [(0, 1), (277, 320), (320, 320), (9, 10)])
def test_error_is_half_of_the_wilson_interval_of_scipy(num_right: int, num: int) -> None:
    one_sigma = math.erf(1 / math.sqrt(2))
    interval = binomtest(num_right, num).proportion_ci(one_sigma, method="wilson")
    assert standard_error(num_right / num, num) == pytest.approx((interval.high - interval.low) / 2)
