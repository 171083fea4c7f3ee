"""What a trial's folder holds, read once and checked before any of it is sent anywhere."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.files.evaluation_files import Part, read_parts
from trainables.config import flatten, load_experiment
from trainables.json_file import BrokenFileError, parse_object

Figures = dict[str, float]
ENDS = ("completed", "stopped", "failed")


@dataclass(frozen=True)
class Panel:
    """One drawn image of one epoch."""

    image: str
    epoch: int
    file: Path


@dataclass(frozen=True)
class Outcome:
    """How a trial ended, in the driver's words."""

    status: str
    error: str | None
    time_ms: int


@dataclass(frozen=True)
class Evaluation:
    """The evaluation suite's figures, when they were written, and a digest that tells one result from another."""

    figures: Figures
    digest: str
    time_ms: int
    file: Path


@dataclass(frozen=True)
class Record:
    """A trial's folder at one moment."""

    rows: tuple[Figures, ...]
    rows_time_ms: int
    panels: tuple[Panel, ...]
    evaluation: Evaluation | None
    parts: tuple[Part, ...]
    outcome: Outcome | None
    data: Mapping[str, Any]
    model: Mapping[str, Any]

    @property
    def last_epoch(self) -> int:
        """The last epoch with a row; 0 before the first."""
        return max((int(row["epoch"]) for row in self.rows), default=0)


def read_record(folder: Path) -> Record:
    """Read the folder of a trial, whichever of its files exist yet.

    Raises:
        BrokenFileError: if a file does not hold what it should; the message names the file and the line.
    """
    metrics = folder / "metrics.jsonl"
    return Record(
        rows=read_rows(metrics),
        rows_time_ms=_time_ms(metrics) if metrics.exists() else 0,
        panels=find_panels(folder / "panels"),
        evaluation=_read_evaluation(folder / "evaluation.json"),
        parts=read_parts(folder / "evaluation"),
        outcome=_read_outcome(folder / "outcome.json"),
        data=read_object(folder / "data.json"),
        model=read_object(folder / "model.json"),
    )


def read_params(folder: Path) -> dict[str, str]:
    """Return the resolved config by dotted key, as text; empty while there is no config."""
    path = folder / "config.yaml"
    if not path.exists():
        return {}
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in flatten(load_experiment(path)).items()
    }


def read_rows(path: Path) -> tuple[Figures, ...]:
    """Return the rows of a metrics.jsonl, with null as NaN; a last line that a crash cut short is left out."""
    if not path.exists():
        return ()
    *lines, unfinished = path.read_text(encoding="utf-8").split("\n")
    rows = tuple(_row(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip())
    try:
        return (*rows, _row(unfinished, str(path)))
    except BrokenFileError:
        return rows


def find_panels(folder: Path) -> tuple[Panel, ...]:
    """Return the panels `epoch-<n>/<image>.png` under `folder`, by epoch and image."""
    panels = [
        Panel(file.stem, int(file.parent.name.removeprefix("epoch-")), file) for file in folder.glob("epoch-*/*.png")
    ]
    return tuple(sorted(panels, key=lambda panel: (panel.epoch, panel.image)))


def _row(line: str, source: str) -> Figures:
    row = parse_object(line, source)
    if not isinstance(row.get("epoch"), int):
        raise BrokenFileError(f"{source}: expected an object with a whole number `epoch`, found {line[:100]!r}")
    return _figures(row)


def _figures(values: Mapping[str, Any]) -> Figures:
    """Return the numbers among `values`; null, which JSON writes for a non-finite number, becomes NaN."""
    return {
        key: math.nan if value is None else float(value)
        for key, value in values.items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }


def _read_evaluation(path: Path) -> Evaluation | None:
    if not path.exists():
        return None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return Evaluation(_figures(read_object(path)), digest, _time_ms(path), path)


def _read_outcome(path: Path) -> Outcome | None:
    outcome = read_object(path)
    if not outcome:
        return None
    if outcome.get("status") not in ENDS:
        raise BrokenFileError(f"{path}: status is {outcome.get('status')!r}; expected one of {', '.join(ENDS)}")
    return Outcome(outcome["status"], outcome.get("error"), _time_ms(path))


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in the file; an empty one where there is no file."""
    return parse_object(path.read_text(encoding="utf-8"), str(path)) if path.exists() else {}


def _time_ms(path: Path) -> int:
    return path.stat().st_mtime_ns // 1_000_000
