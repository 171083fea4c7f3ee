"""The results of a sweep, read from its folder: rows, ranking, Pareto front, and which settings vary."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.files.sweep_ids import SweepIds
from orchestrator.results.accuracy_error import num_images, within_noise
from search_spaces import Constraint
from trainables.config import ConfigError, flatten
from trainables.json_file import BrokenFileError, finite, read_object
from trainables.outcome import KEPT_EPOCH, Outcome, result_row
from trainables.standard_error import standard_error
from trainables.trial_folder import TrialFolder

logger = logging.getLogger(__name__)

BROKEN = "broken"
"""Status of a trial whose files cannot be read."""
CANNOT_READ = (BrokenFileError, ConfigError, OSError)
"""What reading a trial's files raises where one of them is broken."""


HELD_OUT = "chosen on the set that is reported, since data.validation.source is held_out, as in earlier versions"
"""What is said of trials that one held-out set both chose and reports."""


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
    """Metric name -> value after the epoch that is kept; None where it is not finite."""
    kept_epoch: NotRequired[int]
    """The epoch whose network is kept, of a trial with `training.keep: best`."""
    num_images: NotRequired[dict[str, int]]
    """Accuracy's name -> the number of its images, where the trial recorded some."""
    errors: NotRequired[dict[str, float]]
    """Accuracy's name -> its standard error, that of a share of so many images."""
    on_front: NotRequired[bool]
    """Whether the trial is on the Pareto front, in a sweep with several goals."""
    error: NotRequired[str]
    """Why a broken trial cannot be read."""
    violation: NotRequired[float | None]
    """By how much the trial breaks the sweep's constraints, summed; None where a metric of theirs is not known."""


def trial_rows(sweep: SweepFolder, run_ids: dict[str, str]) -> list[TrialRow]:
    """Return a row for each trial that has started, in the order of their ids; a warning names what is broken."""
    rows = [read_row(sweep.trial(trial_id), trial_id, run_ids.get(trial_id)) for trial_id in sweep.trial_ids()]
    config = sweep.config()
    return with_front(with_violations(rows, config.constraints), config.goals)


def with_front(rows: list[TrialRow], goals: Sequence[SweepGoal]) -> list[TrialRow]:
    """Return the rows with whether each is on the Pareto front; as they are where there is one goal."""
    if len(goals) == 1:
        return rows
    front = {row["trial_id"] for row in best(rows, goals)}
    return [{**row, "on_front": row["trial_id"] in front} for row in rows]


def with_violations(rows: list[TrialRow], constraints: Sequence[Constraint]) -> list[TrialRow]:
    """Return the rows with by how much each breaks the constraints; as they are where there are none."""
    return [{**row, "violation": _violation(row, constraints)} for row in rows] if constraints else rows


def _violation(row: TrialRow, constraints: Sequence[Constraint]) -> float | None:
    found = [excess_of(constraint, row["metrics"]) for constraint in constraints]
    known = [max(0.0, excess) for excess in found if excess is not None]
    return sum(known) if len(known) == len(found) else None


def excess_of(constraint: Constraint, metrics: Mapping[str, float | None]) -> float | None:
    """Return how far a trial lies beyond a constraint, 0 or less where it keeps it; None where it is not known."""
    value = metrics.get(constraint.metric)
    return None if value is None or not math.isfinite(value) else constraint.excess(value)


def is_feasible(row: TrialRow) -> bool:
    """Return whether the trial keeps all constraints of its sweep."""
    return row.get("violation", 0.0) == 0


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
    """Return the row of one trial, whose metrics are its evaluation's and those of the epoch that is kept."""
    result = result_row(folder.rows())
    metrics = {**result, **(folder.evaluation() or {})}
    row = TrialRow(
        trial_id=name,
        run_id=run_id,
        status=outcome.status if outcome else "unfinished",
        epoch=int(result["epoch"]),
        config=flatten(folder.config()),
        metrics=finite({key: value for key, value in metrics.items() if key not in ("epoch", KEPT_EPOCH)}),
    )
    if KEPT_EPOCH in result:
        row["kept_epoch"] = int(result[KEPT_EPOCH])
    if sizes := num_images(row["metrics"], _data(folder)):
        row["num_images"] = sizes
        row["errors"] = {name: standard_error(row["metrics"][name] or 0.0, num) for name, num in sizes.items()}
    return row


def _data(folder: TrialFolder) -> dict[str, Any]:
    """Return what `data.json` holds; where it cannot be read, a warning says what is missing for it."""
    try:
        return read_object(folder.data_path)
    except BrokenFileError as error:
        logger.warning("%s; accuracies are shown without their standard errors", error)
        return {}


def ranked(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> list[TrialRow]:
    """Return the completed trials, best first.

    Feasible trials come first, then the others by how much they break the constraints. With several goals the Pareto
    front comes before the rest; within each, the first goal decides.
    """
    complete = [row for row in rows if row["status"] == "completed" and has_goals(row, goals)]
    front = {row["trial_id"] for row in pareto_front(complete, goals)}

    def place(row: TrialRow) -> tuple[float, bool, list[float]]:
        return row.get("violation") or 0.0, row["trial_id"] not in front, [-score for score in scores(row, goals)]

    return sorted(complete, key=place)


def best(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> list[TrialRow]:
    """Return the best feasible trial, or with several goals the Pareto front, best by the first goal first."""
    ranking = feasible(rows, goals)
    return ranking[:1] if len(goals) == 1 else pareto_front(ranking, goals)


def feasible(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> list[TrialRow]:
    """Return the ranked trials that keep the constraints, best first."""
    return list(filter(is_feasible, ranked(rows, goals)))


def by_first_goal(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> list[TrialRow]:
    """Return the ranked trials that keep the constraints, best in the first goal first."""
    return sorted(feasible(rows, goals), key=lambda row: scores(row, goals[:1]), reverse=True)


def pareto_front(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> list[TrialRow]:
    """Return the feasible rows than which no other is at least as good in every goal and better in one."""
    rows = list(filter(is_feasible, rows))
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


def is_held_out(rows: Sequence[TrialRow]) -> bool:
    """Return whether one held-out set both chose and reports some of the trials."""
    return any(row["config"].get("data.validation.source") == "held_out" for row in rows)


def has_goals(row: TrialRow, goals: Sequence[SweepGoal]) -> bool:
    """Return whether every goal has a finite value, and whether it is known if the trial is feasible."""
    values = [row["metrics"].get(goal.metric) for goal in goals]
    is_known = row.get("violation", 0.0) is not None
    return is_known and all(value is not None and math.isfinite(value) for value in values)


def _dominates(other: Sequence[float], point: Sequence[float]) -> bool:
    return other != point and all(a >= b for a, b in zip(other, point, strict=True))


def why_none_is_feasible(
    rows: Sequence[TrialRow], goals: Sequence[SweepGoal], constraints: Sequence[Constraint]
) -> str | None:
    """Say that no trial keeps the constraints, and which is the nearest; None where one does or none has completed."""
    ranking = ranked(rows, goals)
    if not ranking or is_feasible(ranking[0]):
        return None
    nearest = ranking[0]
    return (
        f"no trial keeps {', '.join(map(str, constraints))}; the nearest is {nearest['trial_id']}, with a violation of "
        f"{nearest['violation']:.3g}"
    )


def varied(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the config fields in which the rows differ, in the config's order, each with the fields that come with it.

    A field that some rows lack and that has one value in the others comes with the first varied field of its section:
    `objective.temperature` with `objective.kind`. It is left out where that value switches it off, as 0 does.
    """
    rows = [row for row in rows if row["config"]]
    fields = dict.fromkeys(field for row in rows for field in row["config"])
    values = {field: {repr(row["config"].get(field)) for row in rows} for field in fields}
    several = [field for field in fields if len(values[field] - {repr(None)}) > 1]
    leaders = {_section(field): field for field in reversed(several)}
    found: dict[str, list[str]] = {}
    off = {repr(value) for value in (None, False, 0, 0.0)}
    for field in (field for field in fields if len(values[field]) > 1 and values[field] - off):
        leader = field if field in several else leaders.setdefault(_section(field), field)
        found.setdefault(leader, [])
        if leader != field:
            found[leader].append(field)
    return {field: found[field] for field in fields if field in found}


def _section(field: str) -> str:
    """Return the section of a field; a field outside all sections is its own."""
    return field.rpartition(".")[0] or field


def summary(
    sweep: SweepFolder, rows: list[TrialRow], *, experiment_id: str | None, parent_run_id: str | None
) -> dict[str, Any]:
    """Return the JSON document of sweep, leaderboard and promote."""
    config = sweep.config()
    return {
        "sweep": config.name,
        "experiment_id": experiment_id,
        "parent_run_id": parent_run_id,
        "goals": [goal.model_dump() for goal in config.goals],
        "constraints": list(map(str, config.constraints)),
        "ended": sweep.search_end(config),
        "trials": rows,
        "best": best(rows, config.goals),
        "within_noise": within_noise(by_first_goal(rows, config.goals), config.goals[0].metric),
        "infeasible": why_none_is_feasible(rows, config.goals, config.constraints),
    }


def sweep_document(sweep: SweepFolder, ids: SweepIds) -> dict[str, Any]:
    """Return the JSON document of a sweep on disk, with its ids in MLflow."""
    return summary(
        sweep, trial_rows(sweep, ids.trials), experiment_id=ids.experiment_id, parent_run_id=ids.parent_run_id
    )
