"""The progress of a sweep, from its folder alone."""

import math
import time
from typing import Any

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.files.text import format_seconds
from trainables.trial_folder import Row, TrialFolder


def sweep_status(sweep: SweepFolder) -> dict[str, Any]:
    """Return trials by status, epochs done, hours used and the time left at the pace so far.

    Hours are those of the epochs' wall time times the devices a trial occupies.
    """
    config = sweep.config()
    resources = config.experiment().resources
    outcomes = {trial_id: sweep.trial(trial_id).outcome() for trial_id in sweep.trial_ids()}
    rows = {trial_id: sweep.trial(trial_id).rows() for trial_id in outcomes}
    seconds = sum(_epoch_s(row) for trial in rows.values() for row in trial)
    num_waiting = max(0, config.num_trials - len(rows))
    epochs = sum(map(sweep.epochs, rows)) + num_waiting * config.experiment().training.epochs
    done = sum(map(sweep.epochs_done, rows))
    per_trial = max(1, resources.workers)
    statuses = [outcome.status if outcome else "unfinished" for outcome in outcomes.values()]
    statuses += ["waiting"] * num_waiting
    return {
        "sweep": config.name,
        "is_running": sweep.is_locked(),
        "trials": {status: statuses.count(status) for status in dict.fromkeys(statuses)},
        "epochs_done": done,
        "epochs": epochs,
        "cpu_hours": seconds * per_trial * resources.cpus / 3600,
        "gpu_hours": seconds * per_trial * resources.gpus / 3600,
        "eta_s": _eta_s(sweep, done, epochs) if sweep.is_locked() else None,
    }


def status_lines(status: dict[str, Any]) -> list[str]:
    """Return the status for people."""
    trials = ", ".join(f"{number} {name}" for name, number in status["trials"].items())
    running = "running" if status["is_running"] else "not running"
    lines = [
        f"{status['sweep']}: {running}; trials: {trials}",
        f"epochs {status['epochs_done']} of {status['epochs']}, "
        f"{status['cpu_hours']:.2f} CPU hours, {status['gpu_hours']:.2f} GPU hours",
    ]
    if status["eta_s"] is not None:
        lines.append(f"about {format_seconds(status['eta_s'])} left")
    return lines


def _eta_s(sweep: SweepFolder, done: int, total: int) -> float | None:
    """Return the seconds left at the pace since the running driver started, which stamped its lock file."""
    started = sweep.lock_path.stat().st_mtime
    trials = [sweep.trial(trial_id) for trial_id in sweep.trial_ids()]
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
    return row["time/epoch_s"] if math.isfinite(row["time/epoch_s"]) else 0.0
