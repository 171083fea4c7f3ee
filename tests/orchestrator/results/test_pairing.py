"""The interval of a paired difference, on differences whose bootstrap distribution is known."""

import pytest

from orchestrator.results.pairing import paired_difference

TEN = [f"picture-{number}" for number in range(10)]


def test_equal_differences_leave_no_doubt() -> None:
    found = paired_difference(dict.fromkeys(TEN, 0.75), dict.fromkeys(TEN, 0.5))
    assert found is not None
    assert (found.mean, found.low, found.high, found.num_pictures) == (0.25, 0.25, 0.25, 10)
    assert not found.holds_zero


def test_one_of_ten() -> None:
    """A resample holds the one image Binomial(10, 0.1) times: P(0) = 0.35, P(<= 2) = 0.930, P(<= 3) = 0.987."""
    found = paired_difference({**dict.fromkeys(TEN, 0.0), TEN[4]: 1.0}, dict.fromkeys(TEN, 0.0))
    assert found is not None
    assert (found.mean, found.low) == (0.1, 0.0)
    assert found.high == pytest.approx(0.3)
    assert found.holds_zero


def test_many_images_approach_the_normal_interval() -> None:
    """Differences of 0 and 1 in equal shares have standard deviation 0.5, so the interval is 0.5 -+ 1.96 * 0.5 / 20."""
    images = [str(number) for number in range(400)]
    values = {image: float(int(image) % 2) for image in images}
    found = paired_difference(values, dict.fromkeys(images, 0.0))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.451, 0.549), abs=0.005)


def test_only_images_that_both_have_count() -> None:
    found = paired_difference({**dict.fromkeys(TEN, 1.0), "own": 9.0}, {**dict.fromkeys(TEN, 0.0), "other": 5.0})
    assert found is not None
    assert (found.mean, found.num_pictures) == (1.0, 10)


def test_few_images_have_no_interval() -> None:
    assert paired_difference(dict.fromkeys(TEN[:9], 1.0), dict.fromkeys(TEN, 0.0)) is None


def test_the_order_of_the_images_does_not_matter() -> None:
    values = {image: number / 7 for number, image in enumerate(TEN)}
    others = dict.fromkeys(TEN, 0.0)
    backwards = dict(reversed(values.items()))
    assert paired_difference(values, others) == paired_difference(backwards, others)
