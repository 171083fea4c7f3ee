"""A bound on a metric, which a trial must keep to be feasible."""

import re
from dataclasses import dataclass
from typing import Literal

from trainables.config import ConfigError

FORM = re.compile(r"\s*(\S+?)\s*(>=|<=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


@dataclass(frozen=True, slots=True)
class Constraint:
    """`metric >= bound` or `metric <= bound`."""

    metric: str
    relation: Literal[">=", "<="]
    bound: float

    def __str__(self) -> str:
        return f"{self.metric} {self.relation} {self.bound:.12g}"

    def excess(self, value: float) -> float:
        """Return how far a value lies beyond the bound; 0 or less where it keeps it."""
        return self.bound - value if self.relation == ">=" else value - self.bound


def parse_constraint(text: str, *, source: str, other: str | None = None) -> Constraint:
    """Return the constraint in `val/accuracy >= 0.9`; ConfigError for any other text.

    Args:
        text: What the user wrote.
        source: Where; the error begins with it.
        other: An example of what else may stand there.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"{source}: found {text!r}; expected a metric, >= or <=, and a number, such as 'val/accuracy >= 0.9'"
            f"{f', or {other}' if other else ''}"
        )
    metric, relation, bound = found.groups()
    return Constraint(metric, ">=" if relation == ">=" else "<=", float(bound))
