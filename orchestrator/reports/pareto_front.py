"""The Pareto front: a panel for every two goals, and a table of its trials."""

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from plotly import graph_objects as go

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.files.text import listing
from orchestrator.reports.plot_style import AXIS, LIGHT, add_legend, objective_marks, plot_area
from orchestrator.results.formatting import describe_objective, format_with_error
from orchestrator.results.trial_rows import TrialRow, best, pareto_front, ranked, scores

IN_ONE_PLOT = 2
"""Goals that one plot can draw against each other."""
MAX_GOALS = 4
COLUMNS = 3
PANEL_HEIGHT = 330
LEGEND_HEIGHT = 90
DOMINATED = {"size": 8, "color": LIGHT["faint"], "line": {"color": LIGHT["paper"], "width": 1}}
ON_FRONT = {"size": 12, "color": LIGHT["accent"], "line": {"color": LIGHT["ink"], "width": 1.5}}
DIRECTIONS = {"max": "higher is better", "min": "lower is better"}
NOT_DOMINATED = "no other trial is at least as good in every goal and better in one"
"""What makes a trial one of the front."""


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
        "Each mark is a completed trial; its shape is the objective. Large, ringed marks are the Pareto front over "
        f"all {len(goals)} goals: {NOT_DOMINATED}. Small, faint marks are dominated. A trial of the front may look "
        "dominated in one panel because it wins in another goal. Point at a mark to read its values."
        f"{f' Goals that count but are not drawn: {listing(left_out)}.' if left_out else ''}"
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
    add_legend(figure, objective_marks(shown))
    return figure


def _axis_title(goal: SweepGoal) -> str:
    return f"{html.escape(goal.metric)}<br>{DIRECTIONS[goal.direction]}"


def _traces(
    shown: Sequence[TrialRow], front: set[str], pair: tuple[SweepGoal, SweepGoal], goals: Sequence[SweepGoal]
) -> Iterator[go.Scatter]:
    """Yield the marks of a panel; those on the front come last, and so lie above the others."""
    across, upwards = pair
    for is_front, style in ((False, DOMINATED), (True, ON_FRONT)):
        for mark in objective_marks(shown):
            rows = [row for row in mark.rows if (row["trial_id"] in front) == is_front]
            if rows:
                yield go.Scatter(
                    x=[row["metrics"][across.metric] for row in rows],
                    y=[row["metrics"][upwards.metric] for row in rows],
                    mode="markers",
                    name="Pareto front" if is_front else "dominated",
                    legendgroup=mark.name,
                    showlegend=False,
                    marker={**style, "symbol": mark.symbol},
                    hovertext=[_hover(row, goals) for row in rows],
                    hoverinfo="text",
                )


def _hover(row: TrialRow, goals: Sequence[SweepGoal]) -> str:
    values = [f"{goal.metric}: {format_with_error(row, goal.metric)}" for goal in goals]
    return "<br>".join(html.escape(line) for line in [row["trial_id"], describe_objective(row), *values])


@dataclass(frozen=True, slots=True)
class Value:
    """A goal's value, and whether no trial on the front has a better one."""

    text: str
    is_best: bool


@dataclass(frozen=True, slots=True)
class FrontLine:
    """A trial on the front."""

    trial_id: str
    objective: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class FrontTable:
    """The trials on the front, best by the first goal first."""

    heads: tuple[tuple[str, str], ...]
    """Each goal's metric, and its direction in words."""
    lines: tuple[FrontLine, ...]


def front_table(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> FrontTable:
    """Return the completed trials on the front over all goals."""
    front = best(rows, goals)
    return FrontTable(
        heads=tuple((goal.metric, DIRECTIONS[goal.direction]) for goal in goals),
        lines=tuple(
            FrontLine(row["trial_id"], describe_objective(row), tuple(_value(row, goal, front) for goal in goals))
            for row in front
        ),
    )


def _value(row: TrialRow, goal: SweepGoal, front: Sequence[TrialRow]) -> Value:
    is_best = scores(row, [goal]) == max(scores(other, [goal]) for other in front)
    return Value(format_with_error(row, goal.metric), is_best)
