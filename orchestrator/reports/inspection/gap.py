"""The diagnosis of the generalisation gap: training images against the split's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.reports.inspection.inspected_run import InspectedRun
from orchestrator.reports.inspection.numbers import number, percent, signed
from trainables.metric_names import without_split

PART = "gap"
FIGURES = {
    "accuracy": ("Accuracy", ""),
    "object_only_accuracy": (
        "Accuracy on objects on black",
        "Well above chance, a loss as large as that of the accuracy does not come from backgrounds.",
    ),
    "margin": ("Margin", "The label's logit less the highest other."),
    "object_margin": ("Margin on the object", ""),
    "background_margin": ("Margin on the background", ""),
    "feature_norm": ("Length of the features", ""),
    "effective_rank": ("Effective rank of the features", ""),
    "nc1": ("NC1", "Near 0 on training images alone, the network has collapsed their classes to points."),
    "batch_statistics_accuracy": (
        "Accuracy with statistics of the batch",
        "If it is higher, the running statistics of batch norms do not fit.",
    ),
}
"""By metric, what it is, and what a difference says."""

SPLITS = {"val": "Validation", "test": "Test"}


@dataclass(frozen=True, slots=True)
class GapRow:
    """One figure."""

    name: str
    note: str
    train: str
    split: str
    lost: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Of one run."""

    run: str
    split: str
    """Name of the images that training images are compared with."""
    rows: Sequence[GapRow]
    facts: Mapping[str, str]


def diagnosis(run: InspectedRun) -> Diagnosis:
    """Return the table, and what is of both sets of images."""
    found = {without_split(name): value for name, value in run.run.metrics.items()}
    values = {name.removeprefix("gap/"): value for (name, _), value in found.items() if name.startswith("gap/")}
    split = next(split for name, split in found if split and name.startswith("gap/"))
    facts = {
        "Background's share of the lost margin": percent(values.get("background_lost_share")),
        "Accuracy with a head fitted to training images": number(values.get("refit_on_train_accuracy")),
        "Accuracy with a head fitted to the split (diagnosis, no result)": number(
            values.get("diagnosis_refit_accuracy")
        ),
    }
    return Diagnosis(run.run.name, SPLITS[split], list(_rows(values)), facts)


def _rows(values: Mapping[str, float | None]) -> Iterator[GapRow]:
    for key, (name, note) in FIGURES.items():
        train, split = values.get(f"train_{key}"), values.get(key)
        if train is not None and split is not None:
            yield GapRow(name, note, number(train), number(split), signed(train - split))
