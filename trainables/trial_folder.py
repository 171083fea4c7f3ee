"""A trial's folder: the files that are the truth about it, and how an epoch is committed to them."""

import json
import logging
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from trainables.config import ConfigError, ExperimentConfig, config_hash, load_experiment, to_yaml
from trainables.json_file import BrokenFileError, parse_json, parse_object

logger = logging.getLogger(__name__)

UNREADABLE = (OSError, RuntimeError, EOFError, UnpicklingError, ValueError, LookupError, AttributeError)
"""What torch raises where a file is no checkpoint of its."""

Row = dict[str, float]
"""Metric name -> value; an epoch's row has `epoch`, counted from 1."""


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
        """An epoch that was kept in the middle, on notice; gone once the epoch is committed."""
        return self.path / "checkpoint" / "unfinished.pt"

    @property
    def evaluation_path(self) -> Path:
        return self.path / "evaluation.json"

    def panels_path(self, epoch: int) -> Path:
        return self.path / "panels" / f"epoch-{epoch}"

    def config(self) -> ExperimentConfig:
        return load_experiment(self.config_path)

    def claim(self, config: ExperimentConfig) -> None:
        """Write `config`, or check that the folder is already this config's; ConfigError if it is another's."""
        if not self.config_path.exists():
            write_text(self.config_path, to_yaml(config))
            return
        found, wanted = config_hash(self.config()), config_hash(config)
        if found != wanted:
            raise ConfigError(
                f"{self.path} holds a trial with config hash {found}, and this config has {wanted}; "
                "choose another folder or name, or continue the old trial with its own config"
            )

    def rows(self) -> list[Row]:
        """Return the committed epochs' rows; a last line cut short by a crash is left out.

        Raises:
            BrokenFileError: Another line is no row; the message names file and line.
        """
        if not self.metrics_path.exists():
            return []
        *lines, tail = self.metrics_path.read_text(encoding="utf-8").split("\n")
        numbered = [(number, line) for number, line in enumerate(lines, 1) if line]
        rows = [parse_object(line, f"{self.metrics_path}, line {number}") for number, line in numbered]
        return rows + _whole_row(tail)

    def commit(self, state: Mapping[str, Any], row: Row) -> None:
        """Commit an epoch: its checkpoint by rename, with its row inside, then the row's line."""
        _save({**state, "row": row}, self.state_path)
        self.partial_epoch_path.unlink(missing_ok=True)
        with self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(as_json_line(row))

    def load_state(self, device: torch.device) -> dict[str, Any] | None:
        """Return the last committed state, or None before the first epoch's end; BrokenFileError if it is none."""
        if not self.state_path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.state_path, map_location=device, weights_only=True)
        except UNREADABLE as error:
            raise BrokenFileError(
                f"{self.state_path}: no checkpoint that can be read ({type(error).__name__}); "
                "bring it back, or remove it to train from the first epoch"
            ) from error
        return state

    def save_partial_epoch(self, state: Mapping[str, Any]) -> None:
        """Keep an epoch in the middle, by rename."""
        _save(state, self.partial_epoch_path)

    def load_partial_epoch(self, device: torch.device) -> dict[str, Any] | None:
        """Return what was kept of an unfinished epoch, or None; one that cannot be read costs that epoch alone."""
        if not self.partial_epoch_path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.partial_epoch_path, map_location=device, weights_only=True)
        except UNREADABLE as error:
            logger.warning("%s cannot be read (%s), and its epoch begins anew", self.partial_epoch_path, error)
            return None
        return state

    def forget_evaluation(self) -> None:
        """Remove all figures of evaluations, and their parts: the network has changed."""
        for path in self.path.glob("evaluation*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def repair_rows(self, last: Row) -> None:
        """Make `metrics.jsonl` agree with the checkpoint whose row is `last`, of epoch 0 if there is none."""
        rows = [row for row in self.rows() if row["epoch"] < last["epoch"]]
        if last["epoch"]:
            rows.append(last)
        write_text(self.metrics_path, "".join(map(as_json_line, rows)))

    def evaluation(self) -> Row | None:
        """Return the final evaluation, or None while the trial has none."""
        evaluation: Row | None = read_json(self.evaluation_path)
        return evaluation


def as_json_line(row: Mapping[str, float]) -> str:
    """Return one line of strict JSON; a number that is not finite becomes null."""
    return json.dumps(_finite(row)) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON; a number that is not finite becomes null."""
    write_text(path, json.dumps(_finite(value), indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Return the parsed file, or None when there is none; BrokenFileError names one that is no JSON."""
    return parse_json(path.read_text(encoding="utf-8"), str(path)) if path.exists() else None


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` by rename, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _save(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint to `path` by rename, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(dict(state), partial)
    partial.replace(path)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _whole_row(tail: str) -> list[Row]:
    try:
        return [parse_object(tail, "last line")] if tail else []
    except BrokenFileError:
        return []
