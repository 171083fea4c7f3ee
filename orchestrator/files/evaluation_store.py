"""Finished parts of an evaluation on disk, so that one that was killed goes on where it stopped."""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainables.config import Suite
from trainables.evaluations.base import EvalSpec
from trainables.evaluations.result import Curve, EvaluationResult
from trainables.json_file import BrokenFileError
from trainables.trial_folder import read_json, write_json

GRIDS = "grids.json"


@dataclass(frozen=True)
class EvaluationFiles:
    """`<folder>/<part>.json`, with images in `<folder>/<part>/<name>.png` and grids in `<folder>/<part>/grids.json`.

    A part is kept as long as what it was computed from stays the same.
    """

    folder: Path
    source: str
    """Stands for the network, the data and the code."""
    settings: Suite

    def load(self, spec: EvalSpec) -> EvaluationResult | None:
        """Return the part's finding, without its images, or None where it is missing or out of date."""
        try:
            document = read_json(self._path(spec))
        except BrokenFileError:
            return None
        if not isinstance(document, dict) or document.get("key") != self._key(spec):
            return None
        return EvaluationResult(
            metrics={name: _number(value) for name, value in document["metrics"].items()},
            curves=tuple(
                Curve(**{**curve, **{axis: tuple(map(_number, curve[axis])) for axis in ("x", "y")}})
                for curve in document["curves"]
            ),
            settings=document["settings"],
            samples=document["samples"],
        )

    def save(self, spec: EvalSpec, result: EvaluationResult, seconds: float) -> None:
        """Write images, then by rename the figures, whose presence says that the part is whole."""
        self._path(spec).unlink(missing_ok=True)
        folder = self.folder / spec.name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.png"):
            old.unlink()
        for name, image in result.images.items():
            image.save(folder / f"{name}.png")
        (folder / GRIDS).unlink(missing_ok=True)
        if result.grids:
            write_json(folder / GRIDS, dict(result.grids))
        if not (result.images or result.grids):
            folder.rmdir()
        document: dict[str, Any] = {
            "part": spec.name,
            "key": self._key(spec),
            "seconds": round(seconds, 3),
            "settings": dict(result.settings),
            "metrics": result.metrics,
            "curves": [asdict(curve) for curve in result.curves],
            "samples": {name: dict(by_image) for name, by_image in result.samples.items()},
        }
        write_json(self._path(spec), document)

    def forget(self, names: Iterable[str]) -> None:
        """Remove the named parts' figures, so that they run again."""
        for name in names:
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    def _path(self, spec: EvalSpec) -> Path:
        return self.folder / f"{spec.name}.json"

    def _key(self, spec: EvalSpec) -> str:
        settings = self.settings.model_dump(mode="json")
        decisive = [spec.name, self.source, settings["sample"], settings["seed"], settings.get(spec.category)]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def _number(value: float | None) -> float:
    """JSON has no number for nan."""
    return math.nan if value is None else value
