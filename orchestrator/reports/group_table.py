"""The accuracy in each group of images, of runs side by side, as text for a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.files.text import plural
from orchestrator.results.evaluated import EvaluatedRun
from orchestrator.results.formatting import MISSING, format_error, format_metric
from trainables.standard_error import standard_error

EVALUATION = "groups"
"""The evaluation that stores number, share and accuracy by group."""


@dataclass(frozen=True, slots=True)
class GroupCell:
    """A group in one run."""

    accuracy: str
    error: str
    images: str
    is_worst: bool


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A group of images, and what each run makes of it."""

    name: str
    training_share: str
    """Its share of the training images of the first run that has it."""
    cells: tuple[GroupCell, ...]


def group_lines(runs: Sequence[EvaluatedRun]) -> list[GroupLine]:
    """Return the groups of which a run has an accuracy, in the data's order."""
    stored = [run.evaluations[EVALUATION].settings if EVALUATION in run.evaluations else {} for run in runs]
    names = dict.fromkeys(name for settings in stored for name in settings.get("accuracy", {}))
    shares = {name: share for settings in stored for name, share in settings.get("training_share", {}).items()}
    worst = [min(_known(settings.get("accuracy", {})).values(), default=None) for settings in stored]
    return [
        GroupLine(
            name,
            format_metric(shares.get(name)),
            tuple(
                _cell(settings.get("accuracy", {}).get(name), settings.get("num_by_group", {}).get(name), lowest)
                for settings, lowest in zip(stored, worst, strict=True)
            ),
        )
        for name in names
    ]


def _known(accuracies: Mapping[str, float | None]) -> dict[str, float]:
    """Return the accuracies of the groups that have images."""
    return {name: value for name, value in accuracies.items() if value is not None and value == value}


def _cell(accuracy: float | None, num: int | None, lowest: float | None) -> GroupCell:
    if accuracy is None or accuracy != accuracy:
        return GroupCell(MISSING, "", "", is_worst=False)
    error = format_error(standard_error(accuracy, num)) if num else ""
    return GroupCell(format_metric(accuracy), error, plural(num or 0, "image"), is_worst=accuracy == lowest)
