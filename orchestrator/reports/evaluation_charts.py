"""The curves of evaluations: of several runs side by side, and of one trial as a page for MLflow."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from plotly import graph_objects as go

from orchestrator.files.evaluation_files import EvaluationRecord
from orchestrator.reports.plot_style import COLOURS, LineStyle, LogAxis, plot_area
from orchestrator.reports.rendering import Drawing, render
from orchestrator.results.evaluated import EvaluatedRun
from orchestrator.results.metric_catalogue import category_of_evaluation

Curve = Mapping[str, Any]
"""As an evaluation's file has it: chart, name, x_label, y_label, x and y."""
LOGARITHMIC = ("eps", "channels kept", "channels removed", "nodes kept")
"""Names of horizontal axes whose values differ by orders of magnitude."""
MAX_MARKERS = 12
"""Points of a curve above which they are not marked one by one."""
MARGIN = 0.03


@dataclass(frozen=True, slots=True)
class Chart:
    """The curves that share a chart's name: a plot for each curve's name, with a line for each run."""

    title: str
    y_label: str
    drawings: tuple[Drawing, ...]


def charts(runs: Sequence[EvaluatedRun], styles: Sequence[LineStyle]) -> dict[str, list[Chart]]:
    """Return by category the charts, in the order of their names."""
    found: dict[str, dict[str, dict[str, list[tuple[int, Curve]]]]] = {}
    for index, run in enumerate(runs):
        for evaluation in run.evaluations.values():
            for curve in evaluation.curves:
                by_chart = found.setdefault(category_of_evaluation(evaluation.name), {})
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
    axis = _log_axis(figure, [curve for _, curve in lines])
    for index, curve in lines:
        figure.add_trace(_trace(runs[index].name, curve, styles[index], axis))
    if all(0 <= y <= 1 for _, curve in lines for y in curve["y"] if y is not None):
        figure.update_yaxes(range=[-MARGIN, 1 + MARGIN])
    return figure


def _log_axis(figure: go.Figure, curves: Sequence[Curve]) -> LogAxis | None:
    """Give the figure a logarithmic axis where the curves' values differ by orders of magnitude, and return it."""
    if curves[0]["x_label"] not in LOGARITHMIC:
        return None
    axis = LogAxis.of([x for curve in curves for x in curve["x"]])
    figure.update_xaxes(tickvals=axis.tick_positions, ticktext=axis.tick_labels, range=axis.padded_range)
    return axis


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


def charts_page(evaluations: Sequence[EvaluationRecord]) -> str | None:
    """Return a page with the curves of one trial's evaluations, a plot for each chart; None without curves."""
    curves = [curve for evaluation in evaluations for curve in evaluation.curves]
    names = dict.fromkeys(str(curve["chart"]) for curve in curves)
    drawings = [overlaid([curve for curve in curves if curve["chart"] == name]) for name in names]
    return render("charts.html.j2", drawings=drawings) if drawings else None


def overlaid(curves: Sequence[Curve], *, height: int = 420) -> Drawing:
    """Draw the curves of one chart over each other, in a plot of that height in pixels."""
    first = curves[0]
    figure = plot_area(height=height, x=first["x_label"], y=f"{first['chart']}: {first['y_label']}", top=84)
    axis = _log_axis(figure, curves)
    for curve, colour in zip(curves, cycle(COLOURS), strict=False):
        figure.add_trace(_trace(curve["name"], curve, LineStyle(colour), axis).update(showlegend=True))
    return Drawing(figure, f"{first['chart']}: a line for each name")
