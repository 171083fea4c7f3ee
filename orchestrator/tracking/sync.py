"""Rebuild what MLflow misses of many trials from their folders."""

from collections.abc import Iterable

from orchestrator.tracking.trial_run import TrialRun


def sync(trial_runs: Iterable[TrialRun]) -> list[str]:
    """Push every mirror, and return the ids of the trials that MLflow still does not have in full."""
    left: list[str] = []
    for trial_run in trial_runs:
        trial_run.push()
        if trial_run.in_outage:
            left.append(trial_run.trial_id)
    return left
