"""How a trial ended, and which epoch is its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from trainables.config import Training
from trainables.json_file import BrokenFileError

KEPT_EPOCH = "kept_epoch"
"""A row's key for the epoch that is the best so far; rows lack it with `training.keep: last`."""
WITHOUT_IMPROVEMENT = "epochs_without_improvement"
"""A row's key for how many epochs in a row early stopping has counted; rows lack it without early stopping."""

_OF_THE_LAST = ("epoch", KEPT_EPOCH, WITHOUT_IMPROVEMENT)

Status = Literal["completed", "stopped", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended: after its last epoch, stopped early by the scheduler, or by an error."""

    status: Status
    epoch: int
    error: str | None = None
    kept_epoch: int | None = None
    """The epoch whose network is kept; None where it is the last one by `training.keep: last`."""
    reason: str | None = None
    """Why a completed trial has fewer epochs than planned."""

    def as_json(self) -> dict[str, Any]:
        """Return the object of `outcome.json`; what most trials lack is left out."""
        added = {"kept_epoch": self.kept_epoch, "reason": self.reason}
        known = {name: value for name, value in added.items() if value is not None}
        return {"status": self.status, "epoch": self.epoch, "error": self.error, **known}


def outcome_from_json(values: Mapping[str, Any], source: str) -> Outcome:
    """Return the outcome in the object of a file; BrokenFileError names `source` where there is none."""
    status = next((status for status in STATUSES if status == values.get("status")), None)
    if status is None:
        raise BrokenFileError(f"{source}: status is {values.get('status')!r}; expected one of {', '.join(STATUSES)}")
    epoch, kept = values.get("epoch", 0), values.get("kept_epoch")
    if not isinstance(epoch, int):
        raise BrokenFileError(f"{source}: epoch is {epoch!r}; expected a whole number")
    if not isinstance(kept, int | None):
        raise BrokenFileError(f"{source}: kept_epoch is {kept!r}; expected a whole number")
    return Outcome(status, epoch, values.get("error"), kept, values.get("reason"))


def kept_epoch(rows: Sequence[Mapping[str, float]]) -> int:
    """Return the epoch whose network is kept after the last of `rows`; 0 before the first."""
    return int(rows[-1].get(KEPT_EPOCH, rows[-1]["epoch"])) if rows else 0


def result_row(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the metrics of the epoch that is kept, with the number of the last epoch."""
    if not rows:
        return {"epoch": 0}
    return {**rows[kept_epoch(rows) - 1], **{key: rows[-1][key] for key in _OF_THE_LAST if key in rows[-1]}}


def is_over(training: Training, rows: Sequence[Mapping[str, float]]) -> bool:
    """Return whether no epoch follows the last of `rows`."""
    return len(rows) >= training.epochs or why_stopped_early(training, rows) is not None


def why_stopped_early(training: Training, rows: Sequence[Mapping[str, float]]) -> str | None:
    """Return why training has ended before its last epoch; None where it has not."""
    stopping = training.early_stopping
    if stopping is None or not rows or len(rows) >= training.epochs:
        return None
    if rows[-1].get(WITHOUT_IMPROVEMENT, 0) < stopping.patience:
        return None
    epochs = "1 epoch" if stopping.patience == 1 else f"{stopping.patience} epochs"
    by = f" by more than {stopping.min_delta:g}" if stopping.min_delta else ""
    return f"early stopping after epoch {len(rows)}: {stopping.metric} did not improve{by} for {epochs}"
