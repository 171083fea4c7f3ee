"""A run and its evaluations, as they lie in its folder."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.files.evaluation_files import EvaluationRecord, read_evaluations
from orchestrator.results.trial_rows import TrialRow, row_of
from trainables.evaluations import is_evaluated
from trainables.evaluations.result import CORRECT
from trainables.json_file import read_object
from trainables.metric_names import without_split
from trainables.trial_folder import TrialFolder


@dataclass(frozen=True, slots=True)
class EvaluatedRun:
    """A run that is compared with others."""

    row: TrialRow
    """Config and evaluated metrics; `trial_id` is the name that the commands use."""
    evaluations: Mapping[str, EvaluationRecord]
    """The finished evaluations, by name."""
    data: Mapping[str, Any]
    """The description of its data; empty where there is no `data.json`."""

    @property
    def name(self) -> str:
        return self.row["trial_id"]

    def named(self, name: str) -> "EvaluatedRun":
        """Return the run under another name."""
        return replace(self, row=TrialRow({**self.row, "trial_id": name}))

    @property
    def metrics(self) -> dict[str, float | None]:
        return self.row["metrics"]

    def digest_of_images(self, metric: str) -> str | None:
        """Return the digest of the split that a metric is of; None where it is not known."""
        _, split = without_split(metric)
        of_test = self.data.get("test_digest") if split == "test" else None  # Earlier versions had one held-out set.
        return of_test or self.data.get("val_digest")

    def sources(self, metric: str) -> Mapping[str, int]:
        """Return the source of each image of a metric by its id; empty where each image is its own."""
        return next((found.sources[metric] for found in self.evaluations.values() if metric in found.sources), {})

    def samples(self) -> dict[str, dict[str, float]]:
        """Return by metric the value of each image, without those that the evaluation marks as predicted wrong."""
        found: dict[str, dict[str, float]] = {}
        for evaluation in self.evaluations.values():
            correct = evaluation.samples.get(CORRECT)
            for metric, by_image in evaluation.samples.items():
                found[metric] = {
                    image: value
                    for image, value in by_image.items()
                    if value is not None and (correct is None or correct.get(image) == 1)
                }
        return found


def read_run(folder: TrialFolder, name: str) -> EvaluatedRun:
    """Read a run and give it a name; metrics that only training measured are left out."""
    row = row_of(folder, name, run_id=None, outcome=None)
    evaluated = folder.evaluation() or {}
    metrics = {key: value for key, value in row["metrics"].items() if key in evaluated or is_evaluated(key)}
    return EvaluatedRun(
        row=TrialRow({**row, "metrics": metrics}),
        evaluations={found.name: found for found in read_evaluations(folder.evaluations_path)},
        data=read_object(folder.data_path),
    )
