"""The ids by which MLflow knows a sweep."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SweepIds:
    """A sweep's ids in MLflow; None where MLflow does not have it."""

    experiment_id: str | None = None
    parent_run_id: str | None = None
    trials: dict[str, str] = field(default_factory=dict)
    """Trial id -> run id."""
