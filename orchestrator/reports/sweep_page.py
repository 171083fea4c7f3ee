"""A sweep's interactive plots as one HTML page, which its parent run in MLflow shows."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from plotly import graph_objects as go

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.files.text import plural
from orchestrator.reports.pareto_front import IN_ONE_PLOT, explanation, front_table, goal_panels
from orchestrator.reports.plot_style import COLOUR_SCALE, LIGHT, plot_area
from orchestrator.reports.rendering import Drawing, render
from orchestrator.results.trial_rows import TrialRow, varied

Objectives = Mapping[str, Literal["max", "min"]]
"""Metric name -> direction, the most important first."""
Row = Mapping[str, Any]
"""A trial as `--json` prints it: trial_id, run_id, status, epoch, config (flat) and metrics."""

LABEL_ANGLE = -30
ABSENT_BELOW = 0.15
"""How far below the numbers of an axis those trials lie that have none, as a share of the numbers' range."""
MARKS = {False: {"size": 8, "color": LIGHT["faint"]}, True: {"size": 12, "color": LIGHT["accent"]}}
"""How a trial is marked, by whether it is one of the best."""
BAR_HEIGHT = 26


def write_page(
    ranking: Sequence[Row], best: Sequence[Row], objectives: Objectives, importances: Mapping[str, float]
) -> str:
    """Return the page: objectives of every compared trial, parallel coordinates, importances where there are some."""
    goals = _goals(objectives)
    has_panels = ranking and len(goals) > IN_ONE_PLOT
    return render(
        "sweep.html.j2",
        objectives=Drawing(
            objective_figure(ranking, best, objectives), f"Objectives of {plural(len(ranking), 'trial')}"
        )
        if ranking
        else None,
        front=front_table(_trial_rows(ranking), goals) if has_panels else None,
        note=explanation(goals),
        coordinates=Drawing(coordinates_figure(ranking, objectives), "Parallel axes, a line for each trial")
        if ranking
        else None,
        importances=Drawing(importance_figure(importances), "A bar for each setting") if importances else None,
    )


def objective_figure(ranking: Sequence[Row], best: Sequence[Row], objectives: Objectives) -> go.Figure:
    """Plot the only objective by rank, two against each other with the best trials apart, or more pair by pair."""
    if len(objectives) > IN_ONE_PLOT:
        return goal_panels(_trial_rows(ranking), _goals(objectives))
    first, *others = objectives
    second = others[0] if others else None
    chosen = {row["trial_id"] for row in best}
    x, y = ("rank", first) if second is None else (first, second)
    figure = plot_area(height=420, x=x, y=y, top=64)
    for is_best, marker in MARKS.items():
        group = [(rank, row) for rank, row in enumerate(ranking, 1) if (row["trial_id"] in chosen) == is_best]
        figure.add_scatter(
            x=[rank if second is None else row["metrics"][first] for rank, row in group],
            y=[row["metrics"][second or first] for _, row in group],
            hovertext=[_hover(row, objectives) for _, row in group],
            hoverinfo="text",
            mode="markers",
            marker=marker,
            name="best" if is_best else "other" if second is None else "dominated",
        )
    return figure


def coordinates_figure(ranking: Sequence[Row], objectives: Objectives) -> go.Figure:
    """Draw the settings that vary and the objectives as parallel axes, one line a trial."""
    axes = [_axis(key, [row["config"].get(key) for row in ranking]) for key in varied(ranking)]
    axes += [_axis(metric, [row["metrics"][metric] for row in ranking]) for metric in objectives]
    colours = [row["metrics"][next(iter(objectives))] for row in ranking]
    line = {"color": colours, "colorscale": COLOUR_SCALE, "showscale": True, "colorbar": {"thickness": 8}}
    text = {"size": 11, "color": LIGHT["ink"]}
    figure = plot_area(height=600, x="", y="", top=190)
    figure.update_layout(margin={"l": 90, "r": 190, "b": 30})
    return figure.add_parcoords(
        dimensions=axes, line=line, labelangle=LABEL_ANGLE, labelfont=text, tickfont=text, rangefont=text
    )


def importance_figure(shares: Mapping[str, float]) -> go.Figure:
    """Draw each setting's share in reaching the best results."""
    names = sorted(shares, key=lambda name: shares[name])
    figure = plot_area(height=90 + BAR_HEIGHT * len(names), x="share", y="")
    return figure.add_bar(x=[shares[name] for name in names], y=names, orientation="h", marker_color=LIGHT["accent"])


def _hover(row: Row, objectives: Objectives) -> str:
    values = [f"{metric} = {row['metrics'][metric]:.4g}" for metric in objectives]
    lines = [row["trial_id"], *values, *(f"{key} = {value}" for key, value in row["config"].items())]
    return "<br>".join(map(html.escape, lines))


def _goals(objectives: Objectives) -> list[SweepGoal]:
    return [SweepGoal(metric=metric, direction=direction) for metric, direction in objectives.items()]


def _trial_rows(ranking: Sequence[Row]) -> list[TrialRow]:
    return [cast("TrialRow", row) for row in ranking]


def _axis(label: str, values: list[Any]) -> dict[str, Any]:
    """Return a parallel axis: numbers as they are, above those that lack; anything else by the rank of its text."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values):
        return {"label": label, "values": values}
    if numbers and len(numbers) + values.count(None) == len(values):
        low, high = min(numbers), max(numbers)
        absent = low - ABSENT_BELOW * ((high - low) or 1)
        return {
            "label": label,
            "values": [absent if value is None else value for value in values],
            "tickvals": [absent, low, high],
            "ticktext": ["none", f"{low:.3g}", f"{high:.3g}"],
        }
    texts = sorted({str(value) for value in values})
    return {
        "label": label,
        "values": [texts.index(str(value)) for value in values],
        "tickvals": list(range(len(texts))),
        "ticktext": texts,
    }
