"""The evaluations of a trial on disk: each a JSON file with its images next to it.

`<folder>/<evaluation>.json` holds `part` (the evaluation's name), `key` (what it was computed from), `seconds`,
`settings`, `metrics`, `curves` and `samples`. Its images are `<folder>/<evaluation>/<image>.png`, and its documents
`<folder>/<evaluation>/<document>.json`.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.config import Suite
from trainables.json_file import BrokenFileError, read_object, write_json
from trainables.metric_names import Split, current_metric, with_current_metrics

if TYPE_CHECKING:
    from trainables.evaluations import Curve, EvaluationResult
    from trainables.evaluations.base import EvalSpec


@dataclass(frozen=True)
class EvaluationRecord:
    """One evaluation as it was written, and a digest that tells one result from another."""

    name: str
    file: Path
    digest: str
    images: tuple[Path, ...]
    documents: tuple[Path, ...]
    curves: tuple[Mapping[str, Any], ...]
    settings: Mapping[str, Any]
    samples: Mapping[str, Mapping[str, float | None]]
    """By metric, each image's value by its id."""
    sources: Mapping[str, Mapping[str, int]]
    """By metric, the source of each image by its id; without metrics whose images are each their own."""
    seconds: float | None


def read_evaluations(folder: Path) -> tuple[EvaluationRecord, ...]:
    """Return the evaluations in the folder, by name.

    Raises:
        BrokenFileError: A file holds no JSON object; the message names it.
    """
    return tuple(_read_evaluation(path) for path in sorted(folder.glob("*.json")))


@dataclass(frozen=True)
class EvaluationFiles:
    """Stores evaluations in a folder, so that an evaluation that was killed goes on where it stopped.

    A stored evaluation counts as long as what it was computed from stays the same.
    """

    folder: Path
    source: str
    """Stands for the network, the data and the code."""
    settings: Suite
    split: Split = "val"

    def load(self, spec: "EvalSpec") -> "EvaluationResult | None":
        """Return the evaluation's result, without images and documents, or None where it is missing or out of date."""
        from trainables.evaluations import EvaluationResult

        try:
            document = read_object(self._path(spec))
        except BrokenFileError:
            return None
        if document.get("key") != self._key(spec):
            return None
        return EvaluationResult(
            metrics={current_metric(name): _number(value) for name, value in document["metrics"].items()},
            curves=tuple(map(_curve, document["curves"])),
            settings=document["settings"],
            samples=with_current_metrics(document["samples"]),
            sources=with_current_metrics(document.get("sources", {})),
        )

    def save(self, spec: "EvalSpec", result: "EvaluationResult", seconds: float) -> None:
        """Write images and documents, then by rename the metrics, whose presence says that the evaluation is whole."""
        self._path(spec).unlink(missing_ok=True)
        self._save_folder(spec, result)
        document = {
            "part": spec.name,
            "key": self._key(spec),
            "seconds": round(seconds, 3),
            "settings": dict(result.settings),
            "metrics": result.metrics,
            "curves": [asdict(curve) for curve in result.curves],
            "samples": {name: dict(by_image) for name, by_image in result.samples.items()},
            **({"sources": {name: dict(by_id) for name, by_id in result.sources.items()}} if result.sources else {}),
        }
        write_json(self._path(spec), document)

    def forget(self, names: Iterable[str]) -> None:
        """Remove the metrics of the named evaluations, so that they run again."""
        for name in names:
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    def _save_folder(self, spec: "EvalSpec", result: "EvaluationResult") -> None:
        folder = self.folder / spec.name
        folder.mkdir(parents=True, exist_ok=True)
        for old in (*folder.glob("*.png"), *folder.glob("*.json")):
            old.unlink()
        for name, image in result.images.items():
            image.save(folder / f"{name}.png")
        for name, document in result.documents.items():
            write_json(folder / f"{name}.json", document)
        if not (result.images or result.documents):
            folder.rmdir()

    def _path(self, spec: "EvalSpec") -> Path:
        return self.folder / f"{spec.name}.json"

    def _key(self, spec: "EvalSpec") -> str:
        settings = self.settings.model_dump(mode="json")
        decisive = [spec.name, self.source, settings["sample"], settings["seed"], settings.get(spec.category)]
        # The key of the first, and of the one held-out set, is that of earlier versions.
        decisive += [spec.definition] if spec.definition > 1 else []
        decisive += [self.split] if self.split == "test" else []
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def _read_evaluation(path: Path) -> EvaluationRecord:
    document = read_object(path)
    lasting = {name: value for name, value in document.items() if name != "seconds"}
    return EvaluationRecord(
        name=path.stem,
        file=path,
        digest=hashlib.sha256(json.dumps(lasting).encode()).hexdigest()[:12],
        images=tuple(sorted(path.with_suffix("").glob("*.png"))),
        documents=tuple(sorted(path.with_suffix("").glob("*.json"))),
        curves=tuple(document.get("curves", ())),
        settings=document.get("settings", {}),
        samples=with_current_metrics(document.get("samples", {})),
        sources=with_current_metrics(document.get("sources", {})),
        seconds=document.get("seconds"),
    )


def _curve(document: Mapping[str, Any]) -> "Curve":
    from trainables.evaluations import Curve

    return Curve(**{**document, **{axis: tuple(map(_number, document[axis])) for axis in ("x", "y")}})


def _number(value: float | None) -> float:
    """Return the number that null stands for: JSON has none for NaN."""
    return math.nan if value is None else value
