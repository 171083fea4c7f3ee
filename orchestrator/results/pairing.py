"""The difference of two networks on the same images, and how far it may be chance.

N images.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_IMAGES = 10
"""Below, the images say too little of those that were not drawn."""
NUM_RESAMPLES = 2000
COVERAGE = 0.95
SEED = 0


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A mean over images of one network's value minus another's, with an interval of 95 %."""

    mean: float
    low: float
    high: float
    num_pictures: int

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high


def paired_difference(values: Mapping[str, float], others: Mapping[str, float]) -> PairedDifference | None:
    """Return `mean_i(values_i - others_i)` over the images that have both; None below ten of them.

    The interval is between the 2.5 % and the 97.5 % quantile of the means of bootstrap samples (Efron 1979).
    """
    shared = sorted(values.keys() & others.keys())
    if len(shared) < MIN_IMAGES:
        return None
    difference_N = np.array([values[image] - others[image] for image in shared])
    low, high = _interval(difference_N)
    return PairedDifference(float(difference_N.mean()), low, high, len(shared))


def _interval(difference_N: NDArray[np.float64]) -> tuple[float, float]:
    generator, size = np.random.default_rng(SEED), len(difference_N)
    means = [difference_N[generator.integers(size, size=size)].mean() for _ in range(NUM_RESAMPLES)]
    low, high = np.quantile(means, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)
