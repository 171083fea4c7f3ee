"""The mean influence of several runs, on one colour scale."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plotly import graph_objects as go

from orchestrator.reports.images import Images, images_of
from orchestrator.reports.plot_style import LIGHT, TITLE_SIZE, plot_area
from orchestrator.reports.rendering import Drawing
from orchestrator.results.evaluated import EvaluatedRun
from trainables.drawing.heat_map import HEAT
from trainables.json_file import read_json

EVALUATION = "mean_influence"
TITLES = {"around": "around the object", "influence": "over the whole image"}
"""Name of a grid -> what it shows, in the order of the page."""
PANEL_HEIGHT = 400
HEAT_SCALE = [
    [index / (len(HEAT) - 1), f"rgb({', '.join(str(round(255 * value)) for value in colour)})"]
    for index, colour in enumerate(HEAT)
]
Grid = list[list[float | None]]
"""Multiples of an even spread, row by row; None where too few images reach."""


@dataclass(frozen=True, slots=True)
class MeanInfluence:
    """The maps of all runs in one drawing, or else the images that earlier versions left, each on its own scale."""

    drawing: Drawing | None
    has_around: bool
    images: Images | None


def mean_influence(runs: Sequence[EvaluatedRun], labels: Sequence[str]) -> MeanInfluence | None:
    """Return the maps under `labels`; None where no run has the evaluation."""
    evaluated = [run for run in runs if EVALUATION in run.evaluations]
    if not evaluated:
        return None
    grids = [_grids(run) for run in evaluated]
    if not all(grids):
        return MeanInfluence(None, has_around=False, images=images_of(runs, EVALUATION))
    shown = [label for run, label in zip(runs, labels, strict=True) if run in evaluated]
    figure = influence_figure(dict(zip(shown, grids, strict=True)))
    has_around = any("around" in found for found in grids)
    return MeanInfluence(Drawing(figure, f"Mean influence of {', '.join(shown)}"), has_around, None)


def _grids(run: EvaluatedRun) -> dict[str, Grid]:
    """Return the evaluation's grids by name; empty where an earlier version kept none."""
    return read_json(run.evaluations[EVALUATION].file.with_suffix("") / "grids.json") or {}


def influence_figure(grids_of: Mapping[str, Mapping[str, Grid]]) -> go.Figure:
    """Draw a column for each run and a row for each kind of grid, all with the same colours for the same values."""
    kinds = [kind for kind in TITLES if any(kind in grids for grids in grids_of.values())]
    titles = [f"{html.escape(label)}<br>{TITLES[kind]}" for kind in kinds for label in grids_of]
    figure = plot_area(height=40 + PANEL_HEIGHT * len(kinds), x="", y="", top=40)
    figure.set_subplots(
        len(kinds), len(grids_of), subplot_titles=titles, horizontal_spacing=0.03, vertical_spacing=0.15
    )
    for row, kind in enumerate(kinds, 1):
        for column, grids in enumerate(grids_of.values(), 1):
            if kind in grids:
                figure.add_trace(_heat_map(grids[kind]), row=row, col=column)
                if kind == "around":
                    _add_box(figure, len(grids[kind]), row, column)
    for index, axis in enumerate(figure.select_yaxes()):
        axis.update(autorange="reversed", scaleanchor=f"x{index + 1 if index else ''}")
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain")
    figure.update_annotations(font={"size": TITLE_SIZE, "color": LIGHT["ink"]})
    return figure.update_layout(coloraxis=_colour_axis(_highest(grids_of)))


def _heat_map(grid: Grid) -> go.Heatmap:
    return go.Heatmap(
        z=grid, coloraxis="coloraxis", hoverongaps=False, hovertemplate="%{z:.2f} times an even spread<extra></extra>"
    )


def _add_box(figure: go.Figure, size: int, row: int, column: int) -> None:
    """Frame the object's bounding box, the middle half of the grid."""
    low, high = size / 4 - 0.5, size * 3 / 4 - 0.5
    line = {"color": "#111111", "width": 2}
    figure.add_shape(type="rect", x0=low, x1=high, y0=low, y1=high, line=line, row=row, col=column)


def _highest(grids_of: Mapping[str, Mapping[str, Grid]]) -> float:
    values = [value for grids in grids_of.values() for grid in grids.values() for row in grid for value in row]
    return max(value for value in values if value is not None and math.isfinite(value))


def _colour_axis(highest: float) -> dict[str, object]:
    ticks = {0.0: "0", 1.0: "1 = even", highest: f"{highest:.2g}"}
    if highest < 1.5:
        del ticks[highest]
    return {
        "cmin": 0,
        "cmax": highest,
        "colorscale": HEAT_SCALE,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickvals": list(ticks), "ticktext": list(ticks.values())},
    }
