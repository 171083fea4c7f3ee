"""The curves of one evaluation, a plot for each chart of each run; those of the same chart have the same range."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.reports.evaluation_charts import overlaid
from orchestrator.reports.inspection.inspected_run import InspectedRun
from orchestrator.reports.rendering import Drawing

Curve = Mapping[str, Any]
HEIGHT = 320


def drawings(runs: Sequence[InspectedRun], part: str, *, beginning: str = "") -> dict[str, list[tuple[str, Drawing]]]:
    """Return by chart each run's name and plot.

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
    return {chart: _of_chart(by_run) for chart, by_run in found.items()}


def _of_chart(by_run: Mapping[str, Sequence[Curve]]) -> list[tuple[str, Drawing]]:
    shown = [(run, overlaid(curves, height=HEIGHT)) for run, curves in by_run.items()]
    heights = [y for curves in by_run.values() for curve in curves for y in curve["y"] if y is not None]
    low, high = min(heights, default=0.0), max(heights, default=1.0)
    margin = 0.04 * ((high - low) or 1.0)
    for _, drawing in shown:
        drawing.figure.update_yaxes(range=[low - margin, high + margin])
    return shown
