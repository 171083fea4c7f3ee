"""How every plot of a page looks: colours, axes, lines and marks of trials."""

import html
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plotly import graph_objects as go

from orchestrator.results.formatting import is_cross_entropy, objective_group
from orchestrator.results.trial_rows import TrialRow

LIGHT = {
    "paper": "#fcfbf9",
    "raised": "#f4f2ee",
    "ink": "#1d1f23",
    "muted": "#63676e",
    "rule": "#dedbd4",
    "faint": "#b9b6ae",
    "accent": "#0b6e6e",
    "better": "#1f6f43",
    "worse": "#a2402b",
    "scale_low": "#d8a24a",
    "scale_middle": "#c2556a",
    "scale_high": "#5a4a9c",
}
DARK = {
    "paper": "#15171a",
    "raised": "#1d2024",
    "ink": "#e8e6e1",
    "muted": "#9a9da3",
    "rule": "#33373d",
    "faint": "#545960",
    "accent": "#4fc1b9",
    "better": "#74c496",
    "worse": "#e58d76",
    "scale_low": "#e3b55f",
    "scale_middle": "#d8707f",
    "scale_high": "#8f80d8",
}
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif'
"""Plots are made in the light colours; the page's script exchanges them on a dark screen."""


COLOURS = ("accent", "scale_middle", "scale_low", "scale_high")
"""Roles of the colours of lines, in their order."""
COLOUR_SCALE = [[0.0, LIGHT["scale_low"]], [0.5, LIGHT["scale_middle"]], [1.0, LIGHT["scale_high"]]]
FEW_DECADES = 1.5
CSS_DASHES = {"solid": "solid", "dash": "dashed", "dot": "dotted"}
PLAIN = "diamond"
SYMBOLS = ("circle", "square", "triangle-up", "cross", "star", "triangle-down", "bowtie")
REST = "x"
AXIS = {
    "showgrid": True,
    "gridcolor": LIGHT["rule"],
    "linecolor": LIGHT["faint"],
    "zeroline": False,
    "fixedrange": True,
    "automargin": True,
}
TITLE_SIZE = 13
IN_LEGEND = {"size": 9, "color": LIGHT["muted"]}


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


@dataclass(frozen=True, slots=True)
class LineStyle:
    """A line of a plot."""

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
OTHER_STYLES = tuple(map(LineStyle, COLOURS))


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


@dataclass(frozen=True, slots=True)
class ObjectiveMark:
    """A shape, and its trials."""

    name: str
    symbol: str
    rows: Sequence[TrialRow]


def objective_marks(rows: Sequence[TrialRow]) -> list[ObjectiveMark]:
    """Return a mark for each group of objectives, the largest first.

    Plain cross-entropy always has the diamond. Where there are more groups than shapes, the smallest share the last.
    """
    plain = [row for row in rows if is_cross_entropy(row)]
    others = [row for row in rows if not is_cross_entropy(row)]
    sizes = Counter(objective_group(row) for row in others)
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    shown = names[: len(SYMBOLS)]
    marks = [ObjectiveMark(objective_group(plain[0]), PLAIN, plain)] if plain else []
    for name, symbol in zip(shown, SYMBOLS, strict=False):
        marks.append(ObjectiveMark(name, symbol, [row for row in others if objective_group(row) == name]))
    rest = [row for row in others if objective_group(row) not in shown]
    return [*marks, ObjectiveMark("any other", REST, rest)] if rest else marks


def add_legend(figure: go.Figure, marks: Sequence[ObjectiveMark]) -> None:
    """Name each shape once in the legend: Plotly draws black what has its colour from a scale."""
    for mark in marks:
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=html.escape(mark.name), legendgroup=mark.name,
            marker={**IN_LEGEND, "symbol": mark.symbol}, hoverinfo="skip",
        )  # fmt: skip


def plot_area(*, height: int, x: str, y: str, top: int = 34) -> go.Figure:
    """Return a figure without data.

    Args:
        height: In pixels, with the `top` of them above the plot.
        x: Name of the horizontal axis.
        y: Name of what is drawn, above the plot.
    """
    # The name of y stands above the plot, so that a narrow screen keeps its width for the data.
    return go.Figure(
        layout={
            "template": go.layout.Template(),
            "height": height,
            "margin": {"l": 8, "r": 12, "t": top, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 12, "color": LIGHT["muted"]},
            "hoverlabel": {
                "bgcolor": LIGHT["raised"],
                "bordercolor": LIGHT["faint"],
                "font": {"family": FONT, "color": LIGHT["ink"]},
                "align": "left",
            },
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
            "title": {
                "text": html.escape(y),
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": 1,
                "yref": "container",
                "yanchor": "top",
                "pad": {"t": 4},
                "font": {"size": TITLE_SIZE, "color": LIGHT["ink"]},
            },
            "xaxis": {**AXIS, "title": {"text": html.escape(x), "font": {"size": 12}}},
            "yaxis": AXIS,
            "dragmode": False,
        }
    )
