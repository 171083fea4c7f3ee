"""Rebuild what MLflow misses of many trials from their folders."""

from collections.abc import Iterable

from orchestrator.tracking.trial_run import Mirror


def sync(mirrors: Iterable[Mirror]) -> list[str]:
    """Push every mirror, and return the ids of the trials that MLflow still does not have in full."""
    left: list[str] = []
    for mirror in mirrors:
        mirror.push()
        if mirror.in_outage:
            left.append(mirror.trial_id)
    return left
