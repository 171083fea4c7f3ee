"""Intervals: worked by hand, and how often they cover the truth when the truth is known."""

import itertools
import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from orchestrator.results.intervals import difference_of_images, difference_of_values, holm, paired_difference

TEN = [f"image-{number}" for number in range(10)]


def test_equal_differences_leave_no_doubt() -> None:
    found = paired_difference(dict.fromkeys(TEN, 0.75), dict.fromkeys(TEN, 0.5))
    assert found is not None
    assert (found.mean, found.low, found.high, found.num_pictures) == (0.25, 0.25, 0.25, 10)
    assert not found.contains_zero


def test_one_of_ten() -> None:
    """A resample holds the one image Binomial(10, 0.1) times: P(0) = 0.35, P(<= 2) = 0.930, P(<= 3) = 0.987."""
    found = paired_difference({**dict.fromkeys(TEN, 0.0), TEN[4]: 1.0}, dict.fromkeys(TEN, 0.0))
    assert found is not None
    assert (found.mean, found.low) == (0.1, 0.0)
    assert found.high == pytest.approx(0.3)
    assert found.contains_zero


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


def test_images_of_a_source_are_resampled_together() -> None:
    """Each of ten sources has one image with its value, or two of them: the resamples are the same."""
    values = {image: number / 7 for number, image in enumerate(TEN)}
    twice = values | {f"{image}-again": value for image, value in values.items()}
    sources = {image: TEN.index(image.removesuffix("-again")) for image in twice}
    alone, together = (
        paired_difference(ours, dict.fromkeys(ours, 0.0), of) for ours, of in ((values, {}), (twice, sources))
    )
    assert alone is not None
    assert together is not None
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert (alone.num_pictures, together.num_pictures) == (10, 20)
    over_seeds = [difference_of_images([ours, ours], of) for ours, of in ((values, {}), (twice, sources))]
    assert over_seeds[0] is not None
    assert over_seeds[1] is not None
    assert (over_seeds[1].low, over_seeds[1].high) == pytest.approx((over_seeds[0].low, over_seeds[0].high))


def test_few_sources_have_no_interval() -> None:
    images = [str(number) for number in range(40)]
    values, sources = dict.fromkeys(images, 1.0), {image: int(image) % 9 for image in images}
    assert paired_difference(values, dict.fromkeys(images, 0.0), sources) is None
    assert difference_of_images([values], sources) is None
    assert paired_difference(values, dict.fromkeys(images, 0.0), {**sources, "7": 9}) is not None


@pytest.mark.parametrize("num", [10, 40])
def test_an_interval_of_images_of_shared_sources_covers_the_truth(num: int) -> None:
    """Patients of five images each, whose effects are of the patient alone."""
    generator, sources = np.random.default_rng(2), {f"{number:03d}": number // 5 for number in range(5 * num)}
    held = {"images": 0, "sources": 0}
    for _ in range(200):
        effect_N = np.repeat(generator.normal(size=num), 5)
        values = {image: float(value) for image, value in zip(sources, effect_N, strict=True)}
        for name, of in (("images", {}), ("sources", sources)):
            found = difference_of_images([values], of, num_resamples=200)
            assert found is not None
            assert found.low is not None
            assert found.high is not None
            held[name] += found.low <= 0 <= found.high
    assert held["images"] < 0.75 * 200
    assert held["sources"] > 0.88 * 200


STUDENT_2 = 4.302652729749462
"""97.5 % quantile of Student's t with two degrees of freedom."""
NUM_SIMULATED = 300
NUM_SEEDS, NUM_IMAGES = 3, 60


def by_image(rows_SN: np.ndarray) -> list[Mapping[str, float]]:
    return [{f"{number:03d}": float(value) for number, value in enumerate(row)} for row in rows_SN]


def test_student_interval_by_hand() -> None:
    # Mean 2, standard deviation 1, standard error 1 / sqrt(3).
    found = difference_of_values([1.0, 2.0, 3.0], covers="seeds")
    half = STUDENT_2 / math.sqrt(3)
    assert (found.mean, found.num_seeds, found.num_pictures, found.covers) == (2.0, 3, None, "seeds")
    assert (found.low, found.high) == (pytest.approx(2 - half), pytest.approx(2 + half))
    assert not found.is_apart_from_zero


def test_student_interval_of_two_seeds_by_hand() -> None:
    # t of one degree of freedom is Cauchy's: its 97.5 % quantile is tan(0.475 pi). Standard error sqrt(1/2)/sqrt(2).
    found = difference_of_values([4.0, 5.0], covers="seeds")
    assert found.high == pytest.approx(4.5 + 0.5 * math.tan(0.475 * math.pi))


def test_seeds_that_agree_leave_no_width() -> None:
    found = difference_of_values([0.5, 0.5, 0.5], covers="seeds")
    assert (found.low, found.high, found.is_apart_from_zero) == (0.5, 0.5, False)
    assert not difference_of_values([0.0, 0.0], covers="seeds").is_apart_from_zero


def test_one_seed_has_a_difference_and_no_interval() -> None:
    found = difference_of_values([0.5], covers="seeds")
    assert (found.mean, found.low, found.high, found.covers) == (0.5, None, None, None)
    assert not found.is_apart_from_zero


def test_p_value_of_the_paired_t_test_by_hand() -> None:
    # Two degrees of freedom: p = 1 - t / sqrt(t^2 + 2) with t^2 = 12. One: p = 1 - 2/pi atan(t) with t = 9.
    assert difference_of_values([1.0, 2.0, 3.0], covers="seeds").p_value == pytest.approx(1 - math.sqrt(12 / 14))
    assert difference_of_values([-1.0, -2.0, -3.0], covers="seeds").p_value == pytest.approx(1 - math.sqrt(12 / 14))
    assert difference_of_values([4.0, 5.0], covers="seeds").p_value == pytest.approx(1 - 2 / math.pi * math.atan(9))


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5], [0.0, 0.0]])
def test_interval_without_a_width_has_no_p_value(values: list[float]) -> None:
    assert difference_of_values(values, covers="seeds").p_value is None
    assert difference_of_images(by_image(np.tile([[value] for value in values], 20))).p_value is None


def test_p_value_without_spread_over_images_is_that_of_the_t_test() -> None:
    found = difference_of_images(by_image(np.tile([[1.0], [2.0], [3.0]], 20)))
    assert found.p_value == pytest.approx(1 - math.sqrt(12 / 14))


def test_p_value_of_one_seed_is_that_of_the_resamples() -> None:
    # None of 2000 resampled means of 400 is at 0, or at 1, eleven standard errors away.
    assert difference_of_images(by_image(np.repeat([[0.0, 1.0]], 200, 1))).p_value == 2 / 2001
    # With nine of ten images at 0 a resample has the mean 0.1 or less with probability 0.736, and 0 with 0.349.
    row = np.array([[1.0] + [0.0] * 9])
    assert difference_of_images(by_image(row)).p_value == pytest.approx(2 * 0.349, abs=0.03)


def test_p_value_is_below_5_percent_where_the_interval_leaves_zero_out() -> None:
    generator = np.random.default_rng(2)
    found = [
        difference_of_images(by_image(simulated(truth, 0.1, 0.5, 0.3, generator))) for truth in np.linspace(0, 1, 40)
    ]
    apart = [difference.is_apart_from_zero for difference in found]
    assert 10 < sum(apart) < 30
    assert [difference.p_value < 0.05 for difference in found] == apart


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.04, 0.001], [0.04, 0.002]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.03], [0.03]),
        ([], []),
    ],
)
def test_holm_by_hand(p_values: list[float], corrected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(corrected)


def test_without_spread_over_images_the_interval_is_students() -> None:
    found = difference_of_images(by_image(np.tile([[1.0], [2.0], [3.0]], 20)))
    half = STUDENT_2 / math.sqrt(3)
    assert found is not None
    assert found.mean == 2.0
    assert found.low == pytest.approx(2 - half, rel=0.01)
    assert found.high == pytest.approx(2 + half, rel=0.01)
    assert (found.covers, found.num_seeds, found.num_pictures) == ("seeds and images", 3, 20)


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_without_spread_over_seeds_the_interval_is_that_of_the_images(num_seeds: int) -> None:
    # Half the images 0, half 1: the standard error of the mean of 400 is 0.5 / 20.
    row = np.repeat([0.0, 1.0], 200)
    found = difference_of_images(by_image(np.tile(row, (num_seeds, 1))))
    assert found is not None
    assert found.mean == 0.5
    assert found.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.005)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.005)
    assert found.covers == ("seeds and images" if num_seeds > 1 else "images")


def test_images_are_resampled_for_all_seeds_at_once() -> None:
    # Where the seeds' images cancel out, so do their resamples; drawn seed by seed, they would not.
    row = np.linspace(-1, 1, 50)
    found = difference_of_images(by_image(np.stack([row, -row])))
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))


def test_mean_is_over_the_images_that_a_seed_has() -> None:
    one = {f"{number:02d}": 1.0 for number in range(20)}
    other = {f"{number:02d}": 4.0 for number in range(10)}
    found = difference_of_images([one, other])
    assert found is not None
    assert (found.mean, found.num_pictures) == (2.5, 20)


def test_too_few_images_in_one_seed_are_refused() -> None:
    many, few = {str(number): 1.0 for number in range(20)}, {str(number): 1.0 for number in range(9)}
    assert difference_of_images([many, few]) is None
    assert difference_of_images([many, {}]) is None
    assert difference_of_images([]) is None


def test_same_values_give_the_same_interval_in_any_order() -> None:
    rows = by_image(np.random.default_rng(0).normal(size=(3, 40)))
    assert difference_of_images(rows) == difference_of_images([dict(reversed(row.items())) for row in rows])


def test_large_sets_are_resampled_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = by_image(np.random.default_rng(0).normal(size=(2, 40)))
    whole = difference_of_images(rows)
    monkeypatch.setattr("orchestrator.results.intervals.LARGEST_DRAW", 100)
    parts = difference_of_images(rows)
    assert whole is not None
    assert parts is not None
    assert (parts.low, parts.high) == (pytest.approx(whole.low), pytest.approx(whole.high))


def simulated(
    truth: float, of_seed: float, of_image: float, of_noise: float, generator: np.random.Generator
) -> np.ndarray:
    """Return `truth + a_s + b_n + e_sn` with normal a, b, e of the given standard deviations."""
    seeds_S1 = generator.normal(scale=of_seed, size=(NUM_SEEDS, 1))
    images_1N = generator.normal(scale=of_image, size=(1, NUM_IMAGES))
    return truth + seeds_S1 + images_1N + generator.normal(scale=of_noise, size=(NUM_SEEDS, NUM_IMAGES))


def coverage(interval: Callable[[np.ndarray], tuple[float, float]], *spreads: float) -> float:
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(NUM_SIMULATED):
        low, high = interval(simulated(0.3, *spreads, generator))
        held += low <= 0.3 <= high
    return held / NUM_SIMULATED


def over_seeds_and_images(rows_SN: np.ndarray) -> tuple[float, float]:
    found = difference_of_images(by_image(rows_SN), num_resamples=200)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def over_seeds(rows_SN: np.ndarray) -> tuple[float, float]:
    found = difference_of_values(list(rows_SN.mean(1)), covers="seeds")
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def by_resampled_seeds(rows_SN: np.ndarray) -> tuple[float, float]:
    """Return the percentiles of the means of all resamples of the seeds."""
    resamples = itertools.product(rows_SN.mean(1), repeat=NUM_SEEDS)
    low, high = np.quantile([np.mean(chosen) for chosen in resamples], [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize(
    "spreads",
    [(0.1, 0.0, 0.3), (0.05, 1.0, 0.3), (0.2, 0.5, 0.5), (0.0, 1.0, 0.1), (0.0, 0.3, 1.0)],
    ids=["seeds", "images", "both", "images alone", "noise"],
)
def test_interval_covers_the_truth_as_often_as_it_says(spreads: tuple[float, ...]) -> None:
    # 0.95 less 2.4 standard deviations of a share of 300.
    assert coverage(over_seeds_and_images, *spreads) >= 0.92


def test_interval_over_seeds_covers_the_truth_where_images_are_each_seeds_own() -> None:
    assert 0.92 <= coverage(over_seeds, 0.2, 0.0, 1.0) <= 0.98


def test_interval_over_seeds_alone_forgets_the_images() -> None:
    assert coverage(over_seeds, 0.02, 1.0, 0.1) < 0.6


def test_resampling_three_seeds_covers_the_truth_too_seldom() -> None:
    assert coverage(by_resampled_seeds, 0.2, 0.0, 0.1) < 0.85
