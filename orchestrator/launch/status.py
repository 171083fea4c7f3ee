"""The progress of a sweep, from its folder alone."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.files.text import format_seconds
from orchestrator.results.trial_rows import BROKEN, CANNOT_READ
from trainables.trial_folder import Row, TrialFolder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _TrialStatus:
    status: str
    epochs: int
    """That it has when it runs to its end; 0 where it cannot be read."""
    epochs_done: int
    seconds: float
    """Of its epochs' wall time."""
    error: str | None = None


def sweep_status(sweep: SweepFolder) -> dict[str, Any]:
    """Return trials by status, epochs done, hours used and the time left at the pace so far.

    Hours are those of the epochs' wall time times the devices a trial occupies. A trial that cannot be read counts as
    broken, and a warning says why.
    """
    config = sweep.config()
    resources = config.experiment().resources
    trials = {trial_id: _trial_status(sweep, trial_id) for trial_id in sweep.trial_ids()}
    seconds = sum(trial.seconds for trial in trials.values())
    ended = sweep.search_end(config)
    num_waiting = 0 if ended else max(0, config.num_trials - len(trials))
    epochs = sum(trial.epochs for trial in trials.values()) + num_waiting * config.experiment().training.epochs
    done = sum(trial.epochs_done for trial in trials.values())
    per_trial = max(1, resources.workers)
    statuses = [trial.status for trial in trials.values()] + ["waiting"] * num_waiting
    readable = [trial_id for trial_id, trial in trials.items() if trial.error is None]
    return {
        "sweep": config.name,
        "is_running": sweep.is_locked(),
        "ended": ended,
        "trials": {status: statuses.count(status) for status in dict.fromkeys(statuses)},
        "broken": {trial_id: trial.error for trial_id, trial in trials.items() if trial.error is not None},
        "epochs_done": done,
        "epochs": epochs,
        "cpu_hours": seconds * per_trial * resources.cpus / 3600,
        "gpu_hours": seconds * per_trial * resources.gpus / 3600,
        "eta_s": _eta_s(sweep, readable, done, epochs) if sweep.is_locked() else None,
    }


def _trial_status(sweep: SweepFolder, trial_id: str) -> _TrialStatus:
    folder = sweep.trial(trial_id)
    try:
        outcome, rows = folder.outcome(), folder.rows()
        epochs = sweep.epochs(trial_id)
        done = epochs if outcome else len(rows)
    except CANNOT_READ as error:
        reason, *_ = str(error).splitlines()
        logger.warning("trial %s is broken: %s", trial_id, reason)
        return _TrialStatus(BROKEN, 0, 0, 0.0, reason)
    return _TrialStatus(outcome.status if outcome else "unfinished", epochs, done, sum(map(_epoch_s, rows)))


def status_lines(status: dict[str, Any]) -> list[str]:
    """Return the status for people."""
    trials = ", ".join(f"{number} {name}" for name, number in status["trials"].items())
    running = "running" if status["is_running"] else "not running"
    lines = [
        f"{status['sweep']}: {running}; trials: {trials}",
        f"epochs {status['epochs_done']} of {status['epochs']}, "
        f"{status['cpu_hours']:.2f} CPU hours, {status['gpu_hours']:.2f} GPU hours",
    ]
    if status["ended"]:
        lines.append(f"ended early by {status['ended']}")
    if status["eta_s"] is not None:
        lines.append(f"about {format_seconds(status['eta_s'])} left")
    return lines


def _eta_s(sweep: SweepFolder, trial_ids: Sequence[str], done: int, total: int) -> float | None:
    """Return the seconds left at the pace since the running driver started, which stamped its lock file."""
    started = sweep.lock_path.stat().st_mtime
    trials = [sweep.trial(trial_id) for trial_id in trial_ids]
    epochs = sum(_epochs_since(trial, started) for trial in trials if trial.metrics_path.exists())
    return (total - done) * (time.time() - started) / epochs if epochs else None


def _epochs_since(trial: TrialFolder, started: float) -> int:
    """Return how many of the trial's last epochs ended after `started`, by their wall times."""
    ended, epochs = trial.metrics_path.stat().st_mtime, 0
    for row in reversed(trial.rows()):
        if ended <= started:
            break
        epochs += 1
        ended -= _epoch_s(row)
    return epochs


def _epoch_s(row: Row) -> float:
    """Return the epoch's wall time; 0 where it is not known."""
    seconds = row.get("time/epoch_s", math.nan)
    return seconds if math.isfinite(seconds) else 0.0
