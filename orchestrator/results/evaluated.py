"""A run and its evaluation, as they lie in its folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.files.evaluation_files import Part, read_parts
from orchestrator.results.metric_catalogue import finite_rows
from orchestrator.results.trial_rows import TrialRow, row_of
from trainables.evaluations import is_evaluated
from trainables.trial_folder import TrialFolder, read_json

CORRECT = "correct"
"""The sample that is 1 for the images a network predicts right."""


@dataclass(frozen=True, slots=True)
class EvaluatedRun:
    """A run that is set beside others."""

    row: TrialRow
    """Config and evaluated figures; `trial_id` is what the commands call the run."""
    parts: Mapping[str, Part]
    """The finished parts of its evaluation, by name."""
    data: Mapping[str, Any]
    """What it was trained on and evaluated with; empty where nobody wrote it down."""

    @property
    def name(self) -> str:
        return self.row["trial_id"]

    @property
    def metrics(self) -> dict[str, float | None]:
        return self.row["metrics"]

    def samples(self) -> dict[str, dict[str, float]]:
        """Return by metric the value of each image, without those that the part itself sets aside as wrong."""
        found: dict[str, dict[str, float]] = {}
        for part in self.parts.values():
            correct = part.samples.get(CORRECT)
            for metric, by_image in part.samples.items():
                found[metric] = {
                    image: value
                    for image, value in by_image.items()
                    if value is not None and (correct is None or correct.get(image) == 1)
                }
        return found


def read_run(folder: TrialFolder, name: str) -> EvaluatedRun:
    """Read a run under the name it is to have; what was only measured in training is left out."""
    row = row_of(folder, name, run_id=None, outcome=None)
    evaluated = folder.evaluation() or {}
    metrics = {key: value for key, value in row["metrics"].items() if key in evaluated or is_evaluated(key)}
    return EvaluatedRun(
        row=finite_rows([TrialRow({**row, "metrics": metrics})])[0],
        parts={part.name: part for part in read_parts(folder.path / "evaluation")},
        data=read_json(folder.path / "data.json") or {},
    )
