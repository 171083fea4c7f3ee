"""A trial's folder: its files are the truth about the trial; how an epoch is committed to them, how they are read."""

import json
import logging
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.checkpoint import CheckpointFolder, LastGood, State
from trainables.config import ConfigError, ExperimentConfig, config_hash, load_experiment, to_yaml
from trainables.json_file import BrokenFileError, finite, parse_object, read_object, read_text, write_json, write_text
from trainables.metric_names import current_metric, with_current_metrics
from trainables.outcome import KEPT_EPOCH, Outcome, is_over, outcome_from_json, why_stopped_early

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

HASH_LINE = "# config hash "
"""Begins `config.yaml`, so that an edit of what was trained is found. Files of earlier versions lack it."""

Row = dict[str, float]
"""Metric name -> value; an epoch's row has `epoch`, counted from 1. A value that was not finite is read as NaN."""

ENDED = "time/ended_s"
"""A row's key for the time at which its epoch ended, in seconds since 1970; rows of earlier versions lack it."""

RESTORES = "`campaign resume`, `campaign sync` or the same `campaign train` restores the rows from the checkpoint"


class FolderGoneError(RuntimeError):
    """A folder that was removed or moved while its trial ran; the message names it."""


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
    def checkpoints(self) -> CheckpointFolder:
        return CheckpointFolder(self.path / "checkpoint")

    @property
    def state_path(self) -> Path:
        return self.checkpoints.state_path

    @property
    def first_network(self) -> "TrialFolder":
        """With `training.jtt`, the folder of the network that comes before the trial's own."""
        return TrialFolder(self.path / "jtt")

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

    @property
    def log_path(self) -> Path:
        """Warnings, and the traceback of an error."""
        return self.path / "trial.log"

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
        """Raise FolderGoneError where the trial's folder was removed or moved: a write would make a part of it anew."""
        if not self.config_path.exists():
            raise FolderGoneError(
                f"{self.path} was removed or moved while its trial ran; if it was moved, the same command continues it "
                "with its new --storage"
            )

    def rows(self) -> list[Row]:
        """Return the committed epochs' rows; a last line cut short by a crash is left out.

        Raises:
            BrokenFileError: Another line is no row, or the row of an epoch is missing; the message names it.
        """
        rows, outcome = self._read_rows(), self.outcome()
        epochs = [int(row["epoch"]) for row in rows]
        expected = list(range(1, max([outcome.epoch if outcome else 0, *epochs]) + 1))
        if epochs != expected:
            missing = ", ".join(str(epoch) for epoch in expected if epoch not in epochs)
            what = f"no row of epoch {missing}" if missing else f"rows of the epochs {', '.join(map(str, epochs))}"
            raise BrokenFileError(f"{self.metrics_path}: {what}; {RESTORES}")
        return rows

    def _read_rows(self) -> list[Row]:
        if not self.metrics_path.exists():
            return []
        *lines, tail = read_text(self.metrics_path).split("\n")
        numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        try:
            rows = [_row(line, f"{self.metrics_path}, line {number}") for number, line in numbered]
        except BrokenFileError as error:
            raise BrokenFileError(f"{error}; {RESTORES}") from error
        with suppress(BrokenFileError):
            rows.append(_row(tail, "last line"))
        return rows

    def _readable_rows(self) -> Iterator[Row]:
        """Yield the rows among the lines of a file that may be broken."""
        if self.metrics_path.exists():
            for line in self.metrics_path.read_text(encoding="utf-8", errors="replace").split("\n"):
                with suppress(BrokenFileError):
                    yield _row(line, "line")

    def commit(self, state: State, rows: Sequence[Row], weights: Mapping[str, "torch.Tensor"] | None = None) -> None:
        """Commit the epoch of the last row: its checkpoint with all rows inside, then `metrics.jsonl`, each by rename.

        Between the two, the `weights` of its network to evaluate become best.pt where it is the best so far.

        Raises:
            OSError: One cannot be written; the message names it.
        """
        self.checkpoints.commit({**state, "row": rows[-1], "rows": list(rows)})
        if rows[-1].get(KEPT_EPOCH) == rows[-1]["epoch"]:
            self.checkpoints.save_best(rows[-1], weights)
        self._write_rows(rows)

    def continue_from(self, good: LastGood) -> list[Row]:
        """Make the folder agree with the checkpoint from which training continues, and return the rows so far."""
        self.checkpoints.continue_from(good)
        if (outcome := self.outcome()) and outcome.epoch > good.row["epoch"]:
            self.outcome_path.unlink()  # It ended after an epoch that is trained again.
        rows = [with_current_metrics(row) for row in self._rows_until(good)]
        self._write_rows(rows)
        return rows

    def restore_rows(self) -> None:
        """Write the rows again from the checkpoint, if they cannot be read.

        Raises:
            BrokenFileError: The trial has ended and has no checkpoint, or none that can be read.
        """
        try:
            self.rows()
        except BrokenFileError as error:
            good = self.checkpoints.load_last_good("cpu")
            if good.state is None and self.outcome():
                raise BrokenFileError(f"{error}; there is none in {self.checkpoints.path}") from error
            self.continue_from(good)

    def _rows_until(self, good: LastGood) -> list[Row]:
        """Return the rows up to the checkpoint's epoch, which it holds; one of an earlier version holds the last."""
        last = int(good.row["epoch"])
        known = {int(row["epoch"]): row for row in self._readable_rows()}
        missing = ", ".join(str(epoch) for epoch in range(1, last) if epoch not in known)
        in_checkpoint: list[Row] | None = good.state.get("rows") if good.state else []
        if missing:
            what = "restored from" if in_checkpoint else "lost; an earlier version did not keep them in"
            logger.warning("%s: the rows of epoch %s were missing: %s %s", self.metrics_path, missing, what, good.path)
        if in_checkpoint is not None:
            return in_checkpoint
        return [*(known.get(epoch, {"epoch": epoch}) for epoch in range(1, last)), good.row]

    def _write_rows(self, rows: Sequence[Row]) -> None:
        text = "".join(map(as_json_line, rows))
        if not self.metrics_path.exists() or self.metrics_path.read_bytes() != text.encode():
            write_text(self.metrics_path, text)

    def load_state(self, device: "torch.device") -> State | None:
        """Return the last committed state, or None before the first epoch's end; BrokenFileError if it is none."""
        return self.checkpoints.load(device)

    def evaluation(self) -> Row | None:
        """Return the metrics of the final evaluation, or None while the trial has none."""
        try:
            return _numbers(read_object(self.evaluation_path)) if self.evaluation_path.exists() else None
        except BrokenFileError as error:
            raise BrokenFileError(f"{error}; remove it, and `campaign evaluate` writes it again") from error

    def forget_evaluation(self) -> None:
        """Remove the files of all evaluations: the network has changed."""
        for path in self.path.glob("evaluation*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def outcome(self) -> Outcome | None:
        """Return how the trial ended, or None while it has not; BrokenFileError if the file says neither."""
        if not self.outcome_path.exists():
            return None
        try:
            return outcome_from_json(read_object(self.outcome_path), str(self.outcome_path))
        except BrokenFileError as error:
            raise BrokenFileError(f"{error}; remove it, and `campaign resume` writes it again") from error

    def is_unfinished(self) -> bool:
        """Return whether the trial has no outcome, or has lost a checkpoint that is there after its end."""
        outcome, checkpoints = self.outcome(), self.checkpoints
        if outcome is None or checkpoints.has_lost_epoch:
            return True
        has_best = outcome.kept_epoch in (None, outcome.epoch) or checkpoints.best_path.exists()
        return checkpoints.has_epoch and not has_best

    def finish(self, error: str | None = None) -> Outcome:
        """Record that the trial ended: failed by `error`, completed if evaluated after its last epoch, else stopped.

        A trial whose own files cannot be read has failed too.
        """
        self.check_present()
        try:
            outcome = self._how_it_ended(error)
        except (BrokenFileError, ConfigError) as broken:
            outcome = Outcome("failed", 0, error or f"{type(broken).__name__}: {broken}")
        write_json(self.outcome_path, outcome.as_json())
        return outcome

    def _how_it_ended(self, error: str | None) -> Outcome:
        rows = self.rows()
        kept = int(rows[-1][KEPT_EPOCH]) if rows and KEPT_EPOCH in rows[-1] else None
        if error:
            return Outcome("failed", len(rows), error, kept)
        if self.evaluation() is None or not is_over(training := self.config().training, rows):
            return Outcome("stopped", len(rows), kept_epoch=kept)
        return Outcome("completed", len(rows), kept_epoch=kept, reason=why_stopped_early(training, rows))


def as_json_line(row: Mapping[str, float]) -> str:
    """Return one line of strict JSON; a number that is not finite becomes null."""
    return json.dumps(finite(row)) + "\n"


def _row(line: str, source: str) -> Row:
    row = parse_object(line, source)
    if not isinstance(row.get("epoch"), int):
        raise BrokenFileError(f"{source}: expected an object with a whole number `epoch`, found {line[:100]!r}")
    return _numbers(row)


def _numbers(values: Mapping[str, Any]) -> Row:
    """Return the numbers among `values` by today's names; null stands for one that is not finite, NaN here."""
    return {
        current_metric(key): math.nan if value is None else value
        for key, value in values.items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }
