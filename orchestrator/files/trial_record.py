"""What a trial's folder holds, read once and checked before any of it is sent anywhere."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.files.evaluation_files import EvaluationRecord, read_evaluations
from trainables.config import flatten
from trainables.json_file import read_object, time_ms
from trainables.outcome import Outcome, kept_epoch
from trainables.trial_folder import Row, TrialFolder


@dataclass(frozen=True)
class Panel:
    """One drawn image of one epoch."""

    image: str
    epoch: int
    file: Path


@dataclass(frozen=True)
class EvaluationSummary:
    """The metrics of all evaluations, when they were written, and a digest that tells one result from another."""

    metrics: Row
    digest: str
    time_ms: int
    file: Path


@dataclass(frozen=True)
class TrialRecord:
    """A trial's folder at one moment."""

    rows: tuple[Row, ...]
    rows_time_ms: int
    panels: tuple[Panel, ...]
    evaluation: EvaluationSummary | None
    evaluations: tuple[EvaluationRecord, ...]
    outcome: Outcome | None
    outcome_time_ms: int
    data: Mapping[str, Any]
    model: Mapping[str, Any]

    @property
    def last_epoch(self) -> int:
        """The last epoch with a row; 0 before the first."""
        return max((int(row["epoch"]) for row in self.rows), default=0)

    @property
    def kept_epoch(self) -> int:
        """The epoch whose network is kept; 0 before the first."""
        return kept_epoch(self.rows)


def read_record(folder: TrialFolder) -> TrialRecord:
    """Read the folder of a trial, whichever of its files exist yet.

    Raises:
        BrokenFileError: A file does not hold what it should; the message names the file and the line.
    """
    return TrialRecord(
        rows=tuple(folder.rows()),
        rows_time_ms=time_ms(folder.metrics_path),
        panels=find_panels(folder.path / "panels"),
        evaluation=_read_summary(folder),
        evaluations=read_evaluations(folder.evaluations_path),
        outcome=folder.outcome(),
        outcome_time_ms=time_ms(folder.outcome_path),
        data=read_object(folder.data_path),
        model=read_object(folder.model_path),
    )


def read_params(folder: TrialFolder) -> dict[str, str]:
    """Return the resolved config by dotted key, as text; empty while there is no config."""
    if not folder.config_path.exists():
        return {}
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in flatten(folder.config()).items()
    }


def find_panels(folder: Path) -> tuple[Panel, ...]:
    """Return the panels `epoch-<n>/<image>.png` under `folder`, by epoch and image."""
    panels = [
        Panel(file.stem, int(file.parent.name.removeprefix("epoch-")), file) for file in folder.glob("epoch-*/*.png")
    ]
    return tuple(sorted(panels, key=lambda panel: (panel.epoch, panel.image)))


def _read_summary(folder: TrialFolder) -> EvaluationSummary | None:
    metrics, path = folder.evaluation(), folder.evaluation_path
    if metrics is None:
        return None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return EvaluationSummary(metrics, digest, time_ms(path), path)
