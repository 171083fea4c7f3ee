"""Sweeps on disk, written as a driver and its trials write them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.sweep_folder import SweepFolder
from trainables.config import ExperimentConfig
from trainables.json_file import write_json, write_text
from trainables.trial_folder import as_json_line


class SweepOnDisk:
    """A sweep's folder, and a hand to write its trials."""

    def __init__(self, storage: Path, **fields: Any) -> None:
        defaults: dict[str, Any] = {
            "name": "first",
            "campaign": "digits",
            "base": ExperimentConfig().model_dump(mode="json"),
            "goals": [{"metric": "val/accuracy", "direction": "max"}],
            "num_trials": 4,
        }
        self.config = SweepConfig.model_validate({**defaults, **fields})
        self.folder = SweepFolder.of(storage, self.config.name)
        self.folder.claim(self.config)

    def start(self, trial_id: str, point: dict[str, Any] | None = None, *, epochs: int = 0, **row: Any) -> None:
        """Write a trial's config and its epochs, each with the metrics `row`."""
        trial = self.folder.trial(trial_id)
        trial.claim(self.config.experiment(point))
        lines = [as_json_line({"epoch": epoch, "time/epoch_s": 36.0, **row}) for epoch in range(1, epochs + 1)]
        write_text(trial.metrics_path, "".join(lines))

    def complete(self, trial_id: str, metrics: Mapping[str, float | None], point: dict[str, Any] | None = None) -> None:
        """Write a trial that ran all its epochs and was evaluated."""
        self.folder.trial(trial_id).claim(self.config.experiment(point))
        self.end(trial_id, metrics)

    def end(self, trial_id: str, metrics: Mapping[str, float | None]) -> None:
        """Write all epochs and the evaluation of a trial that has a config."""
        epochs = range(1, self.folder.epochs(trial_id) + 1)
        lines = [as_json_line({"epoch": epoch, "time/epoch_s": 36.0}) for epoch in epochs]
        write_text(self.folder.trial(trial_id).metrics_path, "".join(lines))
        write_json(self.folder.trial(trial_id).evaluation_path, dict(metrics))
        self.folder.trial(trial_id).finish()


def draw_panel(trial: Path) -> None:
    """Write a CAM panel of the first epoch into a trial's folder."""
    (trial / "panels" / "epoch-1").mkdir(parents=True)
    Image.new("RGB", (40, 10)).save(trial / "panels" / "epoch-1" / "a.png")
