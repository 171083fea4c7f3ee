"""How far the difference of two networks, or of two arms of a study, may be chance: intervals of 95 %, p-values.

N images, U units that are resampled, each an image or a source of several, S seeds, R resamples, T quantiles.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MIN_IMAGES = 10
"""With fewer images, or fewer sources of them, there is no interval."""
Sources = Mapping[str, int]
"""By image, what it shows or was made of, such as a patient. An image without one is its own."""
NO_SOURCES: Sources = {}
NUM_RESAMPLES = 2000
COVERAGE = 0.95
SEED = 0
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Covers = Literal["seeds and images", "seeds", "images"]
"""What a repetition of the study would draw anew."""
NUM_QUANTILES = 400
SMALLEST_WIDTH = 1e-9
"""Narrower intervals come from rounding alone and say nothing about the spread over seeds."""
LARGEST_DRAW = 10_000_000
"""Image indices that are drawn at once."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A mean over images of one network's value minus another's, with an interval of 95 %."""

    mean: float
    low: float
    high: float
    num_pictures: int

    @property
    def contains_zero(self) -> bool:
        return self.low <= 0 <= self.high


def paired_difference(
    values: Mapping[str, float], others: Mapping[str, float], sources: Sources = NO_SOURCES
) -> PairedDifference | None:
    """Return `mean_i(values_i - others_i)` over the images that have both; None below ten of them or of their sources.

    The interval is between the 2.5 % and the 97.5 % quantile of the means of bootstrap samples (Efron 1979), which take
    all images of a source together.
    """
    shared = sorted(values.keys() & others.keys())
    unit_N = _units(shared, sources)
    if unit_N.max(initial=-1) + 1 < MIN_IMAGES:
        return None
    difference_N = np.array([values[image] - others[image] for image in shared])
    mean_R = np.concatenate(list(_resampled_means(difference_N[None], unit_N, NUM_RESAMPLES)))
    low, high = np.quantile(mean_R, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return PairedDifference(float(difference_N.mean()), float(low), float(high), len(shared))


def _units(images: Sequence[str], sources: Sources) -> Ints:
    """Return the number of what is resampled together with each image: its source, or the image alone."""
    numbers: dict[str | int, int] = {}
    return np.array([numbers.setdefault(sources.get(image, image), len(numbers)) for image in images], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class SeedDifference:
    """The mean over seeds of one arm's value minus another's at the same seed, with an interval of 95 %."""

    mean: float
    low: float | None
    high: float | None
    covers: Covers | None
    """None where there is no interval, as for one seed."""
    num_seeds: int
    num_pictures: int | None
    """Images that were resampled; None where the interval uses the seeds' values alone."""
    num_sources: int | None = None
    """Sources of the images that were resampled; None where each image is its own."""
    p_value: float | None = None
    """Of the two-sided test whose interval this is; None where the interval has no width."""

    @property
    def is_apart_from_zero(self) -> bool:
        """Whether the interval has a width and lies on one side of zero."""
        if self.low is None or self.high is None or self.high - self.low < SMALLEST_WIDTH:
            return False
        return self.low > 0 or self.high < 0


def difference_of_values(differences: Sequence[float], *, covers: Covers) -> SeedDifference:
    """Return the mean of the seeds' differences d_s with Student's interval and paired t test (Student 1908):

    `mean(d) ± t_(S-1) * sd(d) / sqrt(S)`, `t_(S-1)` the 97.5 % quantile.

    A bootstrap of the seeds would be too narrow: three values have ten resamples, whose means spread too little by a
    factor of sqrt(2/3), without the heavy tails that an estimated standard deviation has.

    Args:
        differences: At least one.
        covers: What differs from seed to seed.
    """
    difference_S = np.array(differences, dtype=np.float64)
    mean, size = float(difference_S.mean()), len(difference_S)
    if size < 2:
        return SeedDifference(mean, None, None, None, size, None)
    error = _standard_error(difference_S)
    half = float(_student_quantiles(size, np.array([(1 + COVERAGE) / 2]))[0]) * error
    p_value = None if 2 * half < SMALLEST_WIDTH else 2 * float(_student_share(size, np.array([-abs(mean) / error]))[0])
    return SeedDifference(mean, mean - half, mean + half, covers, size, None, p_value=p_value)


def difference_of_images(
    by_seed: Sequence[Mapping[str, float]], sources: Sources = NO_SOURCES, *, num_resamples: int = NUM_RESAMPLES
) -> SeedDifference | None:
    """Return the mean over seeds of the mean over images of d_sn; None where a seed has too few images or sources.

    Every seed was evaluated on the same images. Two things are random: the seeds that trained the networks, and the
    images that they are judged on. The interval is between the 2.5 % and the 97.5 % quantile of

    `mean_s d_s + t * sd_s(d_s) / sqrt(S) + (mean_s mean_n d_(s,n*) - mean_s d_s)`, `d_s = mean_n d_sn`:

    seeds by Student's t of S-1 degrees of freedom, images n* by the bootstrap (Efron 1979), one resample for all
    seeds as in Owen 2007, "The pigeonhole bootstrap", and both independent of each other as in the generalised
    intervals of Weerahandi 1993. Images of one source are resampled together. Noise of single predictions counts in
    both terms, so the interval is rather too wide. The p-value is twice the smaller share of that distribution on
    either side of zero.

    Args:
        by_seed: For each seed, by image, one arm's value minus the other's; an image may be missing in some.
        sources: Those of the images.
        num_resamples: Bootstrap samples of the images.
    """
    if min((len({sources.get(image, image) for image in values}) for values in by_seed), default=0) < MIN_IMAGES:
        return None
    images = sorted({image for values in by_seed for image in values})
    difference_SN = np.array([[values.get(image, math.nan) for image in images] for values in by_seed])
    mean_S = np.nanmean(difference_SN, axis=1)
    mean, size = float(mean_S.mean()), len(mean_S)
    unit_N = _units(images, sources)
    change_R = np.concatenate(list(_resampled_means(difference_SN, unit_N, num_resamples))) - mean
    seeds_T = np.zeros(1)
    if size > 1:
        seeds_T = _student_quantiles(size, (np.arange(NUM_QUANTILES) + 0.5) / NUM_QUANTILES) * _standard_error(mean_S)
    sums = np.add.outer(change_R, seeds_T).ravel()
    low, high = np.quantile(sums, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], method="hazen")
    covers: Covers = "seeds and images" if size > 1 else "images"
    p_value = None if high - low < SMALLEST_WIDTH else _p_value(mean, mean_S, change_R)
    num_sources = int(unit_N.max()) + 1 if sources.keys() & set(images) else None
    return SeedDifference(mean, mean + float(low), mean + float(high), covers, size, len(images), num_sources, p_value)


def _p_value(mean: float, mean_S: Floats, change_R: Floats) -> float:
    """Return twice the share of the sums of both terms, of mean 0, that are at least as far from 0 as the mean is.

    Over the seeds the share is exact. From resamples alone it is `(count + 1) / (R + 1)`, which is never 0 (Davison and
    Hinkley 1997, eq. 4.11).
    """
    error = _standard_error(mean_S) if len(mean_S) > 1 else 0.0
    if error < SMALLEST_WIDTH:
        counts = [int((side * change_R <= -side * mean).sum()) for side in (1, -1)]
        return min(1.0, 2 * (min(counts) + 1) / (len(change_R) + 1))
    below = float(_student_share(len(mean_S), (-mean - change_R) / error).mean())
    return 2 * min(below, 1 - below)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number m (Holm 1979): in ascending order the i-th, from 0, becomes

    `max_(j <= i) min(1, (m - j) * p_j)`. The chance of any below 5 % where all differences are 0 is then at most 5 %.
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def _resampled_means(difference_SN: Floats, unit_N: Ints, num_resamples: int) -> Iterator[Floats]:
    """Yield chunks of mean_R, the mean over seeds of each seed's mean over the images of a resample of the units."""
    generator, num = np.random.default_rng(SEED), int(unit_N.max()) + 1
    known_SN = ~np.isnan(difference_SN)
    sum_US, known_US = np.zeros((num, len(difference_SN))), np.zeros((num, len(difference_SN)))
    np.add.at(sum_US, unit_N, np.where(known_SN, difference_SN, 0.0).T)
    np.add.at(known_US, unit_N, known_SN.T)
    step = max(1, LARGEST_DRAW // num)
    for start in range(0, num_resamples, step):
        rows = min(step, num_resamples - start)
        drawn_RU = generator.integers(num, size=(rows, num)) + num * np.arange(rows)[:, None]
        count_RU = np.bincount(drawn_RU.ravel(), minlength=rows * num).reshape(rows, num).astype(np.float64)
        num_known_RS = count_RU @ known_US
        # A resample may hold no image of a seed; the mean of that seed then stays.
        mean_RS = np.tile(np.nanmean(difference_SN, axis=1), (rows, 1))
        yield np.divide(count_RU @ sum_US, num_known_RS, out=mean_RS, where=num_known_RS > 0).mean(axis=1)


def _standard_error(value_S: Floats) -> float:
    return float(value_S.std(ddof=1)) / math.sqrt(len(value_S))


def _student_quantiles(num_values: int, probability_T: Floats) -> Floats:
    """Return quantiles of Student's t with one degree of freedom less than there are values."""
    from scipy.special import stdtrit

    quantile_T: Floats = stdtrit(num_values - 1, probability_T)
    return quantile_T


def _student_share(num_values: int, t_T: Floats) -> Floats:
    """Return the share of Student's t below each t, with one degree of freedom less than there are values."""
    from scipy.special import stdtr

    share_T: Floats = stdtr(num_values - 1, t_T)
    return share_T
