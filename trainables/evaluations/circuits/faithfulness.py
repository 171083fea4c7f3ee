"""How much of an effect circuits keep, as a ratio of means over pairs, with intervals from resampled pairs.

Sources: Wang et al. 2023, "Interpretability in the Wild" (faithfulness, completeness, minimality); Mueller et al. 2025,
"MIB" (area under the faithfulness curve).
P pairs, R resamples, S sizes.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

THRESHOLD = 0.8
"""Faithfulness at which a circuit counts as found."""
NUM_SIZES = 10
"""Sizes of a curve, at equal ratios."""
RESAMPLES = 1000
QUANTILES = (0.025, 0.975)


class Interval(NamedTuple):
    """A number and its 95 % interval over pairs; nan where there is nothing to measure."""

    value: float
    low: float
    high: float


NOTHING = Interval(math.nan, math.nan, math.nan)


def log_sizes(first: int, last: int, num: int = NUM_SIZES) -> tuple[int, ...]:
    """Return `num` sizes from the first to the last at equal ratios, rounded, each once."""
    exponents = [step / (num - 1) for step in range(num)]
    return tuple(dict.fromkeys(round(first * (last / first) ** exponent) for exponent in exponents))


def resample_weights(num_pairs: int, generator: torch.Generator) -> Tensor:
    """Return how much each pair weighs in each bootstrap resample: R x P, float64, rows of sum 1."""
    drawn_RP = torch.randint(num_pairs, (RESAMPLES, num_pairs), generator=generator)
    counts_RP = torch.zeros(RESAMPLES, num_pairs, dtype=torch.float64)
    return counts_RP.scatter_add_(1, drawn_RP, torch.ones_like(counts_RP)) / num_pairs


def faithfulness(effects_SP: Tensor, full_P: Tensor, weights_RP: Tensor) -> Tensor:
    """Return circuits' mean effects over the network's, R x S; nan where the network's is not above 0."""
    full_R1 = (weights_RP @ full_P).unsqueeze(1)
    return (weights_RP @ effects_SP.T / full_R1).masked_fill(full_R1 <= 0, torch.nan)


def even(num_pairs: int) -> Tensor:
    """Return the weights of a plain mean, 1 x P."""
    return torch.full((1, num_pairs), 1 / num_pairs, dtype=torch.float64)


def sizes_needed(curves_RS: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Return the first size whose faithfulness is at least 0.8; nan where a curve is."""
    reached_RS = curves_RS >= THRESHOLD
    sizes_R = torch.tensor(sizes, dtype=torch.float64)[reached_RS.int().argmax(1)]
    return sizes_R.masked_fill(~reached_RS.any(1), torch.nan)


def area(curve_S: Tensor, sizes: tuple[int, ...]) -> float:
    """Return the mean height of a curve over the logarithm of its sizes."""
    if len(sizes) == 1:
        return curve_S[0].item()
    places_S = torch.tensor(sizes, dtype=torch.float64).log()
    return (torch.trapezoid(curve_S, places_S) / (places_S[-1] - places_S[0])).item()


def interval(value: Tensor, values_R: Tensor) -> Interval:
    """Return a number with the quantiles of its resamples that are not nan."""
    low, high = torch.nanquantile(values_R, torch.tensor(QUANTILES, dtype=torch.float64), interpolation="nearest")
    return Interval(value.item(), low.item(), high.item())


def mean_interval(values_P: Tensor, weights_RP: Tensor) -> Interval:
    """Return the mean over pairs with its interval."""
    return interval(values_P.mean(), weights_RP @ values_P)
