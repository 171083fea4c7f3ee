"""The results of a sweep, read from its folder: rows, ranking, Pareto front, and which settings vary."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from orchestrator.files.sweep_config import SweepConfig, SweepGoal
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.files.sweep_ids import SweepIds
from trainables.config import ConfigError, flatten
from trainables.json_file import BrokenFileError, finite
from trainables.trial_folder import Outcome, TrialFolder

logger = logging.getLogger(__name__)

BROKEN = "broken"
"""Status of a trial whose files cannot be read."""
CANNOT_READ = (BrokenFileError, ConfigError, OSError)
"""What reading a trial's files raises where one of them is broken."""


class TrialRow(TypedDict):
    """One trial, as the commands' JSON has it."""

    trial_id: str
    run_id: str | None
    status: str
    """completed, stopped, failed, unfinished, or broken."""
    epoch: int
    config: dict[str, Any]
    """Config field -> value, dotted."""
    metrics: dict[str, float | None]
    """Metric name -> value; None where it is not finite."""
    error: NotRequired[str]
    """Why a broken trial cannot be read."""


def trial_rows(sweep: SweepFolder, run_ids: dict[str, str]) -> list[TrialRow]:
    """Return a row for each trial that has started, in the order of their ids; a warning names what is broken."""
    return [read_row(sweep.trial(trial_id), trial_id, run_ids.get(trial_id)) for trial_id in sweep.trial_ids()]


def read_row(folder: TrialFolder, trial_id: str, run_id: str | None = None) -> TrialRow:
    """Return the row of a trial of a sweep; one whose files cannot be read is broken, and a warning says why."""
    try:
        return row_of(folder, trial_id, run_id=run_id, outcome=folder.outcome())
    except CANNOT_READ as error:
        reason, *_ = str(error).splitlines()
        logger.warning("trial %s is broken: %s", trial_id, reason)
        return TrialRow(
            trial_id=trial_id, run_id=run_id, status=BROKEN, epoch=0, config=_config(folder), metrics={}, error=reason
        )


def _config(folder: TrialFolder) -> dict[str, Any]:
    """Return the config of a broken trial; empty if that is what cannot be read."""
    try:
        return flatten(folder.config())
    except CANNOT_READ:
        return {}


def row_of(folder: TrialFolder, name: str, *, run_id: str | None, outcome: Outcome | None) -> TrialRow:
    """Return the row of one trial, whose metrics are its last epoch's and its evaluation's."""
    rows = folder.rows()
    last = rows[-1] if rows else {"epoch": 0}
    metrics = {**last, **(folder.evaluation() or {})}
    return TrialRow(
        trial_id=name,
        run_id=run_id,
        status=outcome.status if outcome else "unfinished",
        epoch=int(last["epoch"]),
        config=flatten(folder.config()),
        metrics=finite({key: value for key, value in metrics.items() if key != "epoch"}),
    )


def ranked(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> list[TrialRow]:
    """Return the completed trials, best first.

    With several goals the Pareto front comes first, then the rest; within each, the first goal decides.
    """
    complete = [row for row in rows if row["status"] == "completed" and has_goals(row, goals)]
    front = {row["trial_id"] for row in pareto_front(complete, goals)}
    return sorted(complete, key=lambda row: (row["trial_id"] not in front, [-score for score in scores(row, goals)]))


def best(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> list[TrialRow]:
    """Return the best completed trial, or with several goals the Pareto front, best by the first goal first."""
    ranking = ranked(rows, goals)
    return ranking[:1] if len(goals) == 1 else pareto_front(ranking, goals)


def pareto_front(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> list[TrialRow]:
    """Return the rows than which no other is at least as good in every goal and better in one."""
    points = [tuple(scores(row, goals)) for row in rows]
    front: set[tuple[float, ...]] = set()
    for point in sorted(set(points), reverse=True):  # After every point that may dominate it.
        if not any(_dominates(other, point) for other in front):
            front.add(point)
    return [row for row, point in zip(rows, points, strict=True) if point in front]


def scores(row: TrialRow, goals: Sequence[SweepGoal]) -> list[float]:
    """Return the goals' values, turned so that more is better."""
    values = [row["metrics"][goal.metric] for goal in goals]
    assert all(value is not None for value in values)
    return [
        float(value or 0.0) if goal.direction == "max" else -float(value or 0.0)
        for value, goal in zip(values, goals, strict=True)
    ]


def has_goals(row: TrialRow, goals: Sequence[SweepGoal]) -> bool:
    """Return whether every goal has a finite value."""
    values = [row["metrics"].get(goal.metric) for goal in goals]
    return all(value is not None and math.isfinite(value) for value in values)


def _dominates(other: Sequence[float], point: Sequence[float]) -> bool:
    return other != point and all(a >= b for a, b in zip(other, point, strict=True))


def varied(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the config fields in which the rows differ, in the config's order, each with the fields that come with it.

    A field that some rows lack and that has one value in the others comes with the first varied field of its section:
    `objective.temperature` with `objective.kind`.
    """
    rows = [row for row in rows if row["config"]]
    fields = dict.fromkeys(field for row in rows for field in row["config"])
    values = {field: {repr(row["config"].get(field)) for row in rows} for field in fields}
    several = [field for field in fields if len(values[field] - {repr(None)}) > 1]
    leaders = {_section(field): field for field in reversed(several)}
    found: dict[str, list[str]] = {}
    for field in (field for field in fields if len(values[field]) > 1):
        leader = field if field in several else leaders.setdefault(_section(field), field)
        found.setdefault(leader, [])
        if leader != field:
            found[leader].append(field)
    return {field: found[field] for field in fields if field in found}


def _section(field: str) -> str:
    """Return the section of a field; a field outside all sections is its own."""
    return field.rpartition(".")[0] or field


def summary(
    config: SweepConfig, rows: list[TrialRow], *, experiment_id: str | None, parent_run_id: str | None
) -> dict[str, Any]:
    """Return the JSON document of sweep, leaderboard and promote."""
    return {
        "sweep": config.name,
        "experiment_id": experiment_id,
        "parent_run_id": parent_run_id,
        "goals": [goal.model_dump() for goal in config.goals],
        "trials": rows,
        "best": best(rows, config.goals),
    }


def sweep_document(sweep: SweepFolder, ids: SweepIds) -> dict[str, Any]:
    """Return the JSON document of a sweep on disk, with its ids in MLflow."""
    config = sweep.config()
    return summary(
        config, trial_rows(sweep, ids.trials), experiment_id=ids.experiment_id, parent_run_id=ids.parent_run_id
    )
