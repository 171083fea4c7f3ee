"""The Pareto front as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.reports.goal_panels import DIRECTIONS
from orchestrator.results.formatting import describe_objective, format_metric
from orchestrator.results.trial_rows import TrialRow, best, scores


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
    return Value(format_metric(row["metrics"][goal.metric]), is_best)
