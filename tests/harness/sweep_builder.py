"""Sweep folders made by hand, from the same files that a sweep leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from orchestrator.files.sweep_config import SweepConfig, SweepGoal
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.results.evaluated import EvaluatedRun, read_run
from orchestrator.results.trial_rows import TrialRow, trial_rows
from trainables.config import to_yaml
from trainables.json_file import write_json, write_text
from trainables.trial_folder import as_json_line

ACCURACY = SweepGoal(metric="val/accuracy", direction="max")


@dataclass
class SweepBuilder:
    """Writes a sweep's files and reads its rows."""

    storage: Path
    goals: tuple[SweepGoal, ...] = (ACCURACY,)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> SweepFolder:
        folder = SweepFolder.of(self.storage, "first")
        if not folder.config_path.exists():
            given = {"space": "digits-background-weight", "num_trials": 1, "base": {"training": {"epochs": 2}}}
            folder.write(SweepConfig(name="first", campaign="digits", goals=self.goals, **(given | self.settings)))
        return folder

    def trial(
        self,
        trial_id: str,
        point: Mapping[str, Any],
        evaluation: Mapping[str, float | None] | None,
        *,
        epochs: int = 2,
        error: str | None = None,
        panels: tuple[str, ...] = (),
    ) -> None:
        """Write a trial that ended; without an evaluation it was stopped, and with an error it failed."""
        trial = self.folder.trial(trial_id)
        write_text(trial.config_path, to_yaml(self.folder.config().experiment(dict(point))))
        rows = [
            {"epoch": epoch, "train/loss": 1 / epoch, "val/accuracy": 0.1 * epoch} for epoch in range(1, epochs + 1)
        ]
        write_text(trial.metrics_path, "".join(map(as_json_line, rows)))
        if evaluation is not None:
            write_json(trial.evaluation_path, evaluation)
        for image in panels:
            self.panel(trial_id, image, epoch=epochs)
        self.folder.trial(trial_id).finish(error)

    def panel(self, trial_id: str, image: str, *, epoch: int, colour: str = "red") -> Path:
        path = self.folder.trial(trial_id).panels_path(epoch) / f"{image}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 2), colour).save(path)
        return path

    def evaluation(self, trial_id: str, name: str, *, images: Mapping[str, str] | None = None, **fields: Any) -> None:
        """Write an evaluation of a trial, with images by name and colour."""
        place = self.folder.trial(trial_id).path / "evaluation" / name
        for image, colour in (images or {}).items():
            place.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 2), colour).save(place / f"{image}.png")
        whole = {"part": name, "key": "", "seconds": 1.0, "settings": {}, "metrics": {}, "curves": [], "samples": {}}
        write_json(place.with_suffix(".json"), whole | fields)

    def run(self, trial_id: str) -> EvaluatedRun:
        return read_run(self.folder.trial(trial_id), f"first/{trial_id}")

    def rows(self) -> list[TrialRow]:
        return trial_rows(self.folder, {})
