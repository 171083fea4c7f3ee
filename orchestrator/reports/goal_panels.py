"""The Pareto front over three goals or more, in a panel for every two of them."""

import html
import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from plotly import graph_objects as go

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.reports.objective_marks import objective_marks
from orchestrator.reports.plot_area import AXIS, plot_area
from orchestrator.reports.sweep_plots import IN_ONE_PLOT
from orchestrator.reports.theme import LIGHT
from orchestrator.results.formatting import describe_objective, format_metric, listing
from orchestrator.results.trial_rows import TrialRow, pareto_front, ranked

MAX_GOALS = 4
COLUMNS = 3
PANEL_HEIGHT = 330
LEGEND_HEIGHT = 90
BEATEN = {"size": 8, "color": LIGHT["faint"], "line": {"color": LIGHT["paper"], "width": 1}}
ON_FRONT = {"size": 12, "color": LIGHT["accent"], "line": {"color": LIGHT["ink"], "width": 1.5}}
IN_LEGEND = {"size": 9, "color": LIGHT["muted"]}
DIRECTIONS = {"max": "higher is better", "min": "lower is better"}


def has_panels(goals: Sequence[SweepGoal]) -> bool:
    """Return whether the front needs panels: that of two goals fits one plot."""
    return len(goals) > IN_ONE_PLOT


def goal_pairs(goals: Sequence[SweepGoal]) -> list[tuple[SweepGoal, SweepGoal]]:
    """Return every two of the goals, of more than four the first four: across, and upwards."""
    return [(across, upwards) for upwards, across in combinations(goals[:MAX_GOALS], 2)]


def explanation(goals: Sequence[SweepGoal]) -> str:
    """Say how to read the panels."""
    left_out = [goal.metric for goal in goals[MAX_GOALS:]]
    return (
        "Each mark is a completed trial, its shape the objective. Large, ringed marks are the Pareto front over "
        f"all {len(goals)} goals: no other trial is at least as good in every goal and better in one. A trial of the "
        "front may look beaten in one panel because it wins in another goal. Small, faint marks are beaten. Point at a "
        f"mark for its figures.{f' Goals counted but not drawn: {listing(left_out)}.' if left_out else ''}"
    )


def goal_panels(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> go.Figure:
    """Draw the ranked trials once for every pair of goals, with the front over all goals apart."""
    shown, pairs = ranked(rows, goals), goal_pairs(goals)
    front = {row["trial_id"] for row in pareto_front(shown, goals)}
    lines = math.ceil(len(pairs) / COLUMNS)
    figure = plot_area(height=LEGEND_HEIGHT + PANEL_HEIGHT * lines, x="", y="", top=LEGEND_HEIGHT)
    figure.set_subplots(lines, COLUMNS, horizontal_spacing=0.09, vertical_spacing=0.2 if lines > 1 else 0)
    for index, pair in enumerate(pairs):
        place = {"row": index // COLUMNS + 1, "col": index % COLUMNS + 1}
        for trace in _traces(shown, front, pair, goals):
            figure.add_trace(trace, **place)
        for update, goal in zip((figure.update_xaxes, figure.update_yaxes), pair, strict=True):
            update(**AXIS, title={"text": _axis_title(goal), "font": {"size": 12}, "standoff": 8}, **place)
    figure.update_layout(legend_y=1.04)
    for mark in objective_marks(shown):
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=html.escape(mark.name), legendgroup=mark.name,
            marker={**IN_LEGEND, "symbol": mark.symbol},
        )  # fmt: skip
    return figure


def _axis_title(goal: SweepGoal) -> str:
    return f"{html.escape(goal.metric)}<br>{DIRECTIONS[goal.direction]}"


def _traces(
    shown: Sequence[TrialRow], front: set[str], pair: tuple[SweepGoal, SweepGoal], goals: Sequence[SweepGoal]
) -> Iterator[go.Scatter]:
    """Yield the marks of a panel; those on the front come last, and so lie above the others."""
    across, upwards = pair
    for is_front, look in ((False, BEATEN), (True, ON_FRONT)):
        for mark in objective_marks(shown):
            rows = [row for row in mark.rows if (row["trial_id"] in front) == is_front]
            if rows:
                yield go.Scatter(
                    x=[row["metrics"][across.metric] for row in rows],
                    y=[row["metrics"][upwards.metric] for row in rows],
                    mode="markers",
                    name="Pareto front" if is_front else "beaten",
                    legendgroup=mark.name,
                    showlegend=False,
                    marker={**look, "symbol": mark.symbol},
                    hovertext=[_hover(row, goals) for row in rows],
                    hoverinfo="text",
                )


def _hover(row: TrialRow, goals: Sequence[SweepGoal]) -> str:
    figures = [f"{goal.metric}: {format_metric(row['metrics'][goal.metric])}" for goal in goals]
    return "<br>".join(html.escape(line) for line in [row["trial_id"], describe_objective(row), *figures])
