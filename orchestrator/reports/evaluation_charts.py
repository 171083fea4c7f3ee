"""The curves and images of several runs' evaluations, each beside those of the same name."""

import html
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plotly import graph_objects as go

from orchestrator.reports.axes import LogAxis
from orchestrator.reports.line_styles import LineStyle
from orchestrator.reports.panels import ImageRow, side_by_side
from orchestrator.reports.plot_area import plot_area
from orchestrator.reports.rendering import Drawing
from orchestrator.results.categories import category_of_part
from orchestrator.results.evaluated import EvaluatedRun

Curve = Mapping[str, Any]
"""As a part's file has it: chart, name, x_label, y_label, x and y."""
LOGARITHMIC = ("eps",)
"""Names of horizontal axes whose values differ by orders of magnitude."""
MAX_MARKERS = 12
"""Points of a curve above which they are not marked one by one."""
MARGIN = 0.03


@dataclass(frozen=True, slots=True)
class Chart:
    """The curves that share a chart's name: a figure for each curve's name, with a line for each run."""

    title: str
    y_label: str
    drawings: tuple[Drawing, ...]


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a part."""

    part: str
    rows: tuple[ImageRow, ...]
    num_left_out: int


def charts(runs: Sequence[EvaluatedRun], styles: Sequence[LineStyle]) -> dict[str, list[Chart]]:
    """Return by category the charts, in the order of their names."""
    found: dict[str, dict[str, dict[str, list[tuple[int, Curve]]]]] = {}
    for index, run in enumerate(runs):
        for part in run.parts.values():
            for curve in part.curves:
                by_chart = found.setdefault(category_of_part(part.name), {})
                by_chart.setdefault(curve["chart"], {}).setdefault(curve["name"], []).append((index, curve))
    return {
        category: [_chart(title, by_chart[title], runs, styles) for title in sorted(by_chart)]
        for category, by_chart in found.items()
    }


def _chart(
    title: str,
    by_name: Mapping[str, Sequence[tuple[int, Curve]]],
    runs: Sequence[EvaluatedRun],
    styles: Sequence[LineStyle],
) -> Chart:
    names = [f"{title}: {name}" if len(by_name) == 1 else name for name in by_name]
    drawings = [
        Drawing(_figure(name, lines, runs, styles), f"{title}, {key}: a line for each run")
        for name, (key, lines) in zip(names, by_name.items(), strict=True)
    ]
    _, first = next(iter(by_name.values()))[0]
    return Chart(title, first["y_label"], tuple(drawings))


def _figure(
    title: str, lines: Sequence[tuple[int, Curve]], runs: Sequence[EvaluatedRun], styles: Sequence[LineStyle]
) -> go.Figure:
    first = lines[0][1]
    figure = plot_area(height=260, x=first["x_label"], y=title)
    axis = LogAxis.of([x for _, curve in lines for x in curve["x"]]) if first["x_label"] in LOGARITHMIC else None
    if axis:
        figure.update_xaxes(tickvals=axis.tick_positions, ticktext=axis.tick_labels, range=axis.padded_range)
    for index, curve in lines:
        figure.add_trace(_trace(runs[index].name, curve, styles[index], axis))
    if all(0 <= y <= 1 for _, curve in lines for y in curve["y"] if y is not None):
        figure.update_yaxes(range=[-MARGIN, 1 + MARGIN])
    return figure


def _trace(name: str, curve: Curve, style: LineStyle, axis: LogAxis | None) -> go.Scatter:
    hover = [f"{html.escape(name)}<br>{html.escape(curve['x_label'])} {x:.3g}" for x in curve["x"]]
    return go.Scatter(
        x=[axis.position(x) for x in curve["x"]] if axis else curve["x"],
        y=curve["y"],
        mode="lines+markers" if len(curve["x"]) <= MAX_MARKERS else "lines",
        line={**style.plotly, "width": 2},
        marker={"size": 5},
        name=html.escape(name),
        hovertext=hover,
        hovertemplate=f"%{{hovertext}}<br>{html.escape(curve['y_label'])} %{{y:.3f}}<extra></extra>",
        showlegend=False,
    )


def images(runs: Sequence[EvaluatedRun]) -> dict[str, list[Images]]:
    """Return by category the images of its parts: those that all runs have, or where there are none, all."""
    found: dict[str, list[Images]] = {}
    for part in dict.fromkeys(name for run in runs for name in run.parts):
        by_run = [{path.stem: path for path in run.parts[part].images} for run in runs if part in run.parts]
        names = {name for paths in by_run for name in paths}
        shared = {name for name in names if sum(name in paths for paths in by_run) == len(runs)} or names
        if names:
            rows = tuple(side_by_side([_images_of(run, part, shared) for run in runs]))
            found.setdefault(category_of_part(part), []).append(Images(part, rows, len(names) - len(rows)))
    return found


def _images_of(run: EvaluatedRun, part: str, names: Collection[str]) -> dict[str, Path]:
    paths = run.parts[part].images if part in run.parts else ()
    return {path.stem: path for path in paths if path.stem in names}
