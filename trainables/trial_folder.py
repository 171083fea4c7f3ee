"""A trial's folder: its files are the truth about the trial; how an epoch is committed to them, how they are read."""

import json
import logging
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Literal, get_args

from trainables.config import ConfigError, ExperimentConfig, config_hash, load_experiment, to_yaml
from trainables.json_file import BrokenFileError, finite, parse_object, read_object, write_json, write_text

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

UNREADABLE = (OSError, RuntimeError, EOFError, UnpicklingError, ValueError, LookupError, AttributeError)
"""What `torch.load` raises for a file that is no checkpoint."""

HASH_LINE = "# config hash "
"""Begins `config.yaml`, so that an edit of what was trained is found. Files of earlier versions lack it."""

Row = dict[str, float]
"""Metric name -> value; an epoch's row has `epoch`, counted from 1. A value that was not finite is read as NaN."""

ENDED = "time/ended_s"
"""A row's key for the time at which its epoch ended, in seconds since 1970; rows of earlier versions lack it."""

Status = Literal["completed", "stopped", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)


class FolderGoneError(RuntimeError):
    """A folder that was removed or moved while its trial ran; the message names it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended: after its last epoch, stopped early by the scheduler, or by an error."""

    status: Status
    epoch: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TrialFolder:
    """The files of one trial; every write is a rename, so a reader never sees half a file."""

    path: Path

    @property
    def config_path(self) -> Path:
        return self.path / "config.yaml"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def state_path(self) -> Path:
        return self.path / "checkpoint" / "state.pt"

    @property
    def partial_epoch_path(self) -> Path:
        """The checkpoint in the middle of an epoch, saved on a preemption notice; the epoch's commit removes it."""
        return self.path / "checkpoint" / "partial_epoch.pt"

    @property
    def old_partial_epoch_path(self) -> Path:
        """The partial epoch of an earlier version of campaign."""
        return self.path / "checkpoint" / "unfinished.pt"

    @property
    def data_path(self) -> Path:
        return self.path / "data.json"

    @property
    def model_path(self) -> Path:
        return self.path / "model.json"

    @property
    def evaluation_path(self) -> Path:
        """The metrics of all evaluations together."""
        return self.path / "evaluation.json"

    @property
    def evaluations_path(self) -> Path:
        """The folder with a file for each evaluation."""
        return self.path / "evaluation"

    @property
    def outcome_path(self) -> Path:
        return self.path / "outcome.json"

    def panels_path(self, epoch: int) -> Path:
        return self.path / "panels" / f"epoch-{epoch}"

    def config(self) -> ExperimentConfig:
        """Return the trial's config; ConfigError if it was edited after the trial had an epoch."""
        config = load_experiment(self.config_path)
        with self.config_path.open(encoding="utf-8") as file:
            first = file.readline()
        own = f"{HASH_LINE}{config_hash(config)}\n"
        if first.startswith(HASH_LINE) and first != own and self._has_rows:
            raise ConfigError(
                f"{self.config_path} was edited after training began: its config hash was "
                f"{first.removeprefix(HASH_LINE).strip()} and is {config_hash(config)}; undo the edit, or train the "
                "new config under another name"
            )
        return config

    @property
    def _has_rows(self) -> bool:
        return self.metrics_path.exists() and self.metrics_path.stat().st_size > 0

    def claim(self, config: ExperimentConfig) -> None:
        """Write `config`, or check that the folder is already this config's; ConfigError if it is another's."""
        if not self.config_path.exists():
            write_text(self.config_path, f"{HASH_LINE}{config_hash(config)}\n{to_yaml(config)}")
            return
        own, given = config_hash(self.config()), config_hash(config)
        if own != given:
            raise ConfigError(
                f"{self.path} holds a trial with config hash {own}, and this config has {given}; "
                "choose another folder or name, or continue the old trial with its own config"
            )

    def check_present(self) -> None:
        """Check that the trial's folder is still there: a write would make a part of it anew.

        Raises:
            FolderGoneError: It was removed or moved.
        """
        if not self.config_path.exists():
            raise FolderGoneError(
                f"{self.path} was removed or moved while its trial ran; if it was moved, the same command continues it "
                "with its new --storage"
            )

    def rows(self) -> list[Row]:
        """Return the committed epochs' rows; a last line cut short by a crash is left out.

        Raises:
            BrokenFileError: Another line is no row; the message names file and line.
        """
        if not self.metrics_path.exists():
            return []
        *lines, tail = self.metrics_path.read_text(encoding="utf-8").split("\n")
        numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        rows = [_row(line, f"{self.metrics_path}, line {number}") for number, line in numbered]
        try:
            return [*rows, _row(tail, "last line")]
        except BrokenFileError:
            return rows

    def commit(self, state: Mapping[str, Any], row: Row) -> None:
        """Commit an epoch: its checkpoint by rename, with its row inside, then the row's line."""
        _save({**state, "row": row}, self.state_path)
        self.partial_epoch_path.unlink(missing_ok=True)
        self.old_partial_epoch_path.unlink(missing_ok=True)
        with self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(as_json_line(row))

    def repair_rows(self, last: Row) -> None:
        """Make `metrics.jsonl` agree with the checkpoint whose row is `last`, of epoch 0 if there is none."""
        rows = [row for row in self.rows() if row["epoch"] < last["epoch"]]
        if last["epoch"]:
            rows.append(last)
        write_text(self.metrics_path, "".join(map(as_json_line, rows)))

    def load_state(self, device: "torch.device") -> dict[str, Any] | None:
        """Return the last committed state, or None before the first epoch's end; BrokenFileError if it is none."""
        if not self.state_path.exists():
            return None
        try:
            return _load(self.state_path, device)
        except UNREADABLE as error:
            raise BrokenFileError(
                f"{self.state_path}: no checkpoint that can be read ({type(error).__name__}); "
                "bring it back, or remove it to train from the first epoch"
            ) from error

    def save_partial_epoch(self, state: Mapping[str, Any]) -> None:
        """Save a checkpoint in the middle of an epoch, by rename."""
        _save(state, self.partial_epoch_path)

    def load_partial_epoch(self, device: "torch.device") -> dict[str, Any] | None:
        """Return the checkpoint in the middle of an epoch, or None if there is none or it cannot be read."""
        paths = (self.partial_epoch_path, self.old_partial_epoch_path)
        path = next((path for path in paths if path.exists()), None)
        if path is None:
            return None
        try:
            return _load(path, device)
        except UNREADABLE as error:
            logger.warning("%s cannot be read (%s); its epoch starts again", path, error)
            return None

    def evaluation(self) -> Row | None:
        """Return the metrics of the final evaluation, or None while the trial has none."""
        return _numbers(read_object(self.evaluation_path)) if self.evaluation_path.exists() else None

    def forget_evaluation(self) -> None:
        """Remove the files of all evaluations: the network has changed."""
        for path in self.path.glob("evaluation*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def outcome(self) -> Outcome | None:
        """Return how the trial ended, or None while it has not; BrokenFileError if the file says neither."""
        if not self.outcome_path.exists():
            return None
        outcome = read_object(self.outcome_path)
        status = next((status for status in STATUSES if status == outcome.get("status")), None)
        if status is None:
            raise BrokenFileError(
                f"{self.outcome_path}: status is {outcome.get('status')!r}; expected one of {', '.join(STATUSES)}"
            )
        return Outcome(status, outcome.get("epoch", 0), outcome.get("error"))

    def finish(self, error: str | None = None) -> Outcome:
        """Record that the trial ended: failed by `error`, completed if evaluated after its last epoch, else stopped."""
        self.check_present()
        rows = self.rows()
        epoch = int(rows[-1]["epoch"]) if rows else 0
        completed = self.evaluation() is not None and epoch == self.config().training.epochs
        outcome = Outcome("failed" if error else "completed" if completed else "stopped", epoch, error)
        write_json(self.outcome_path, asdict(outcome))
        return outcome


def as_json_line(row: Mapping[str, float]) -> str:
    """Return one line of strict JSON; a number that is not finite becomes null."""
    return json.dumps(finite(row)) + "\n"


def _row(line: str, source: str) -> Row:
    row = parse_object(line, source)
    if not isinstance(row.get("epoch"), int):
        raise BrokenFileError(f"{source}: expected an object with a whole number `epoch`, found {line[:100]!r}")
    return _numbers(row)


def _numbers(values: Mapping[str, Any]) -> Row:
    """Return the numbers among `values`; null, which stands for a number that is not finite, becomes NaN."""
    return {
        key: math.nan if value is None else value
        for key, value in values.items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }


def _save(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint to `path` by rename, making its folder."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(dict(state), partial)
    partial.replace(path)


def _load(path: Path, device: "torch.device") -> dict[str, Any]:
    import torch

    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state
