"""How much of an effect circuits keep, as a ratio of means over pairs, with intervals from resampled couples.

Sources: Wang et al. 2023, "Interpretability in the Wild" (faithfulness, completeness, minimality); Mueller et al. 2025,
"MIB" (area under the faithfulness curve); Hesterberg 2015, "What Teachers Should Know About the Bootstrap" (quantiles).
P pairs, Q = P/2 couples, R resamples, S sizes.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from scipy.special import ndtr, stdtrit
from torch import Tensor

THRESHOLD = 0.8
"""Faithfulness at which a circuit counts as found."""
NUM_SIZES = 10
"""Sizes of a curve, at equal ratios."""
RESAMPLES = 1000
TAIL = 0.025
"""What an interval leaves out on each side."""


class Interval(NamedTuple):
    """A number and its 95 % interval over couples; nan where there is nothing to measure."""

    value: float
    low: float
    high: float


NOTHING = Interval(math.nan, math.nan, math.nan)


def log_sizes(first: int, last: int, num: int = NUM_SIZES) -> tuple[int, ...]:
    """Return `num` sizes from the first to the last at equal ratios, rounded, each once."""
    exponents = [step / (num - 1) for step in range(num)]
    return tuple(dict.fromkeys(round(first * (last / first) ** exponent) for exponent in exponents))


@dataclass(frozen=True, eq=False)
class Resamples:
    """Bootstrap resamples of couples: the two pairs of a couple have the same images, and other pairs none of them."""

    weights_RP: Tensor
    """How much each pair weighs: float64, rows of sum 1."""

    @classmethod
    def of(cls, num_pairs: int, generator: torch.Generator) -> Self:
        """Draw the couples, of which pair p and pair p + P/2 are one."""
        num = num_pairs // 2
        drawn_RQ = torch.randint(num, (RESAMPLES, num), generator=generator)
        counts_RQ = torch.zeros(RESAMPLES, num, dtype=torch.float64)
        counts_RQ.scatter_add_(1, drawn_RQ, torch.ones_like(counts_RQ))
        return cls(counts_RQ.repeat(1, 2) / num_pairs)

    @property
    def tail(self) -> float:
        """The share of resamples beyond each end: for normal values, that of the t interval of as many couples.

        Resamples vary less than new couples would, by `(Q - 1) / Q`, and do not know that their variance is a guess.
        """
        num = self.weights_RP.shape[1] // 2
        return float(ndtr(math.sqrt(num / (num - 1)) * stdtrit(num - 1, TAIL)))

    def interval(self, value: Tensor, values_R: Tensor) -> Interval:
        """Return a number with the quantiles of its resamples that are not nan."""
        ends = torch.tensor([self.tail, 1 - self.tail], dtype=torch.float64)
        low, high = torch.nanquantile(values_R, ends, interpolation="nearest")
        return Interval(value.item(), low.item(), high.item())

    def mean(self, values_P: Tensor) -> Interval:
        """Return the mean over pairs with its interval."""
        return self.interval(values_P.mean(), self.weights_RP @ values_P)


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
