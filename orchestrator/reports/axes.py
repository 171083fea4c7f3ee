"""A logarithmic axis that has a place for zero."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FEW_DECADES = 1.5


@dataclass(frozen=True, slots=True)
class LogAxis:
    """Positions are decimal logarithms; zero lies a decade below the smallest positive value."""

    low: float
    high: float
    has_zero: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> "LogAxis":
        """Return the axis that holds `values`, which are at least 0."""
        logarithms = [math.log10(value) for value in values if value > 0] or [0.0]
        has_zero = any(value == 0 for value in values)
        return cls(min(logarithms) - (1 if has_zero else 0), max(logarithms), has_zero)

    def position(self, value: float) -> float:
        return math.log10(value) if value > 0 else self.low

    @property
    def padded_range(self) -> list[float]:
        margin = max(0.1, 0.06 * (self.high - self.low))
        return [self.low - margin, self.high + margin]

    @property
    def tick_positions(self) -> list[float]:
        return [self.position(value) for value in self._tick_values()]

    @property
    def tick_labels(self) -> list[str]:
        return [f"{value:g}" for value in self._tick_values()]

    def _tick_values(self) -> list[float]:
        """Return the decades on the axis, with 2 and 5 between them where they are few, or else its ends."""
        smallest = self.low + (1 if self.has_zero else 0)
        factors = (1, 2, 5) if self.high - smallest < FEW_DECADES else (1,)
        decades = range(math.floor(smallest), math.ceil(self.high) + 1)
        candidates = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [value for value in candidates if smallest - 1e-9 <= math.log10(value) <= self.high + 1e-9]
        ends = [float(f"{10**end:.2g}") for end in dict.fromkeys((smallest, self.high))]
        return ([0.0] if self.has_zero else []) + (inside or ends)
