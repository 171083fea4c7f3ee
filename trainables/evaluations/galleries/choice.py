"""Which classes and which of their images a gallery shows.

N samples, M those of a row.
"""

from collections import Counter
from dataclasses import dataclass

from torch import Tensor

from trainables.evaluations.galleries.readings import Readings


@dataclass(frozen=True, slots=True)
class Rows:
    """Indices into the sample, the first to be shown first; of equal ones the earlier in the sample is first."""

    hits: list[int]
    """Images of the class that are predicted right, the most confident first."""
    mistakes: list[int]
    """Images of the class that are predicted wrong, the most confident first."""
    least_background: list[int]
    """Images of the class, right or wrong, the smallest share of influence on the background first."""


def choose_rows(readings: Readings, labels_N: Tensor, label: int, limit: int) -> Rows:
    """Return at most `limit` images of the class `label` for each row."""
    own_N = labels_N == label
    right_N = readings.predicted_N == labels_N
    return Rows(
        hits=_highest(readings.confidence_N, own_N & right_N, limit),
        mistakes=_highest(readings.confidence_N, own_N & ~right_N, limit),
        least_background=_highest(-readings.background_share_N, own_N & ~readings.background_share_N.isnan(), limit),
    )


def choose_classes(labels_N: Tensor, right_N: Tensor, limit: int) -> list[int]:
    """Return the `limit` classes with the lowest accuracy, in the order of their numbers.

    Of equal ones those with more images come first, then those with lower numbers. A class without an image is
    never chosen.
    """
    counts, hits = Counter(labels_N.tolist()), Counter(labels_N[right_N].tolist())
    ranking = sorted((hits[label] / count, -count, label) for label, count in counts.items())
    return sorted(label for _, _, label in ranking[:limit])


def _highest(values_N: Tensor, eligible_N: Tensor, limit: int) -> list[int]:
    indices_M = eligible_N.nonzero().squeeze(1)
    order_M = values_N[indices_M].argsort(descending=True, stable=True)
    return [int(index) for index in indices_M[order_M][:limit]]
