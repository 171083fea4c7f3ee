"""The curves of one evaluation, a plot for each chart of each run; those of the same chart have the same range."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.reports.evaluation_charts import overlaid
from orchestrator.reports.inspection.inspected_run import InspectedRun
from orchestrator.reports.rendering import Drawing

Curve = Mapping[str, Any]
HEIGHT = 320


Plots = list[tuple[str, Drawing | None]]
"""Each run's name and plot; None where it has no such curve."""


def drawings(runs: Sequence[InspectedRun], part: str, *, beginning: str = "") -> dict[str, Plots]:
    """Return by chart the runs' plots.

    Args:
        runs: Those that have the evaluation.
        part: The evaluation.
        beginning: Of the names of the charts to draw.
    """
    found: dict[str, dict[str, list[Curve]]] = {}
    for run in runs:
        for curve in run.run.evaluations[part].curves:
            if curve["chart"].startswith(beginning):
                found.setdefault(curve["chart"], {}).setdefault(run.run.name, []).append(curve)
    plots = {chart: _of_chart(by_run) for chart, by_run in found.items()}
    return {chart: [(run.run.name, by_run.get(run.run.name)) for run in runs] for chart, by_run in plots.items()}


def _of_chart(by_run: Mapping[str, Sequence[Curve]]) -> dict[str, Drawing]:
    shown = {run: overlaid(curves, height=HEIGHT) for run, curves in by_run.items()}
    heights = [y for curves in by_run.values() for curve in curves for y in curve["y"] if y is not None]
    low, high = min(heights, default=0.0), max(heights, default=1.0)
    margin = 0.04 * ((high - low) or 1.0)
    for drawing in shown.values():
        drawing.figure.update_yaxes(range=[low - margin, high + margin])
    return shown
