"""How the lines of trials are told apart, in every figure of a page and in its keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.reports.theme import LIGHT
from orchestrator.results.formatting import is_cross_entropy
from orchestrator.results.trial_rows import TrialRow

CSS_DASHES = {"solid": "solid", "dash": "dashed", "dot": "dotted"}


@dataclass(frozen=True, slots=True)
class LineStyle:
    """A line of a figure."""

    colour: str
    """Its role in the theme."""
    dash: str = "solid"

    @property
    def plotly(self) -> dict[str, Any]:
        return {"color": LIGHT[self.colour]} | ({} if self.dash == "solid" else {"dash": self.dash})

    @property
    def css(self) -> str:
        return f"--line: var(--{self.colour}); --dash: {CSS_DASHES[self.dash]}"


CROSS_ENTROPY_STYLES = (LineStyle("ink", "dash"), LineStyle("muted", "dot"))
OTHER_STYLES = tuple(map(LineStyle, ("accent", "scale_middle", "scale_low", "scale_high")))


def line_styles(rows: Sequence[TrialRow]) -> list[LineStyle]:
    """Return each trial's line; cross-entropy is broken and in ink or grey, and styles recur where there are many."""
    taken = {True: 0, False: 0}
    styles = []
    for row in rows:
        is_plain = is_cross_entropy(row)
        choices = CROSS_ENTROPY_STYLES if is_plain else OTHER_STYLES
        styles.append(choices[taken[is_plain] % len(choices)])
        taken[is_plain] += 1
    return styles
