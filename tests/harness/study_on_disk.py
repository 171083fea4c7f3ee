"""Studies made by hand, from the same files that a study leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.files.study import study_from_tree
from orchestrator.files.study_sweep import prepare_study, sweep_of_study
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.results.study_result import study_document
from trainables.json_file import write_json, write_text
from trainables.trial_folder import as_json_line

Samples = Mapping[str, Mapping[str, float]]


class StudyOnDisk:
    """Two arms at two seeds, and a hand to write their trials as a driver and its evaluations leave them."""

    def __init__(self, storage: Path, **fields: Any) -> None:
        tree: dict[str, Any] = {
            "name": "pair",
            "summary": "Does it help?",
            "base": "digits",
            "set": {"training.epochs": 2},
            "arms": {"plain": {}, "contrastive": {"objective.kind": "contrastive"}},
            "seeds": [0, 1],
            "metrics": ["val/accuracy"],
        }
        config = sweep_of_study(study_from_tree({**tree, **fields}, source="pair"), name="pair")
        self.folder = SweepFolder.of(storage, "pair")
        prepare_study(self.folder, config)

    def trial(
        self,
        trial_id: str,
        metrics: Mapping[str, float | None],
        *,
        samples: Samples | None = None,
        sources: Mapping[str, int] | None = None,
        digest: str = "same",
        error: str | None = None,
        **row: float,
    ) -> None:
        """Write a trial that ended after two epochs of ten seconds of training each; with an error it failed."""
        trial = self.folder.trial(trial_id)
        rows = [{"epoch": epoch, "time/train_s": 10.0, "time/epoch_s": 12.0, **row} for epoch in (1, 2)]
        write_text(trial.metrics_path, "".join(map(as_json_line, rows)))
        write_json(trial.path / "data.json", {"name": "digits", "val_digest": digest, "class_names": ["0", "1"]})
        if error is None:
            write_json(trial.evaluation_path, metrics)
        if samples is not None:
            of_sources = {} if sources is None else {"sources": dict.fromkeys(samples, sources)}
            part = {"part": "accuracy", "key": "", "seconds": 1, "settings": {}, "metrics": {}, "curves": []}
            write_json(trial.path / "evaluation" / "accuracy.json", {**part, "samples": samples, **of_sources})
        self.folder.trial(trial_id).finish(error)

    def all(self, values: Mapping[str, float], metric: str = "val/accuracy") -> None:
        for trial_id, value in values.items():
            self.trial(trial_id, {metric: value})

    def metric(self, arm: str, metric: str = "val/accuracy") -> Any:
        return next(found for found in study_document(self.folder)["arms"] if found["arm"] == arm)["figures"][metric]


FOUR = {"plain-s0": 0.5, "plain-s1": 0.7, "contrastive-s0": 0.6, "contrastive-s1": 1.0}
