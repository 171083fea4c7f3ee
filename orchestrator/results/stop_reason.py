"""Whether the trials so far reach a rule that ends their search."""

from collections.abc import Sequence

from orchestrator.files.stop_rule import NoImprovement, StopRule
from orchestrator.files.sweep_config import SweepGoal
from orchestrator.results.formatting import format_metric
from orchestrator.results.trial_rows import TrialRow, best, excess_of, is_feasible, ranked, scores


def stop_reason(rule: StopRule, rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> str | None:
    """Return how the trials that have ended reach the rule; None where they do not."""
    if isinstance(rule, NoImprovement):
        return _without_improvement(rule.num_trials, rows, goals)
    for row in sorted(ranked(rows, goals), key=lambda row: row["trial_id"]):
        excess = excess_of(rule, row["metrics"])
        if is_feasible(row) and excess is not None and excess <= 0:
            return f"trial {row['trial_id']} has {format_metric(row['metrics'][rule.metric])}"
    return None


def _without_improvement(number: int, rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> str | None:
    """Count the trials after the last one that improved on those before it; a failed trial shows nothing."""
    improving = _last_improving(rows, goals)
    if improving is None:
        return None
    later = [row for row in rows if row["trial_id"] > improving and row["status"] in {"completed", "stopped"}]
    return f"trial {improving} was the last to improve" if len(later) >= number else None


def _last_improving(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> str | None:
    """Return the newest of the best trials, of several with equal goals the first; without a feasible one, the best."""
    leaders = best(rows, goals) or ranked(rows, goals)[:1]
    first: dict[tuple[float, ...], str] = {}
    for row in sorted(leaders, key=lambda row: row["trial_id"]):
        first.setdefault(tuple(scores(row, goals)), row["trial_id"])
    return max(first.values(), default=None)
