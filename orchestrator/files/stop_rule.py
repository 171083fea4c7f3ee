"""What ends a search before it has all its trials."""

import re
from dataclasses import dataclass

from search_spaces import Constraint, parse_constraint


@dataclass(frozen=True, slots=True)
class NoImprovement:
    """The last `num_trials` trials are not better than those before them."""

    num_trials: int

    def __str__(self) -> str:
        return f"no improvement for {self.num_trials}"


StopRule = Constraint | NoImprovement
"""A target that a trial reaches, or trials without an improvement."""


def parse_stop_rule(text: str) -> StopRule:
    """Return the rule in `val/accuracy >= 0.95` or `no improvement for 10`; ConfigError for any other text."""
    found = re.fullmatch(r"\s*no improvement for ([1-9]\d*)(?: trials?)?\s*", text)
    if found:
        return NoImprovement(int(found[1]))
    return parse_constraint(text, source="--stop-when", other="'no improvement for 10'")
