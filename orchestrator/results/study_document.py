"""The result of a study as `study.json` has it."""

from typing import Any, NotRequired, TypedDict

LEVEL = 0.05
"""The chance of a false star in a table without any true difference."""


class Difference(TypedDict):
    """A `SeedDifference` as JSON has it."""

    mean: float
    low: float | None
    high: float | None
    covers: str | None
    """What the interval covers, as `SeedDifference` has it; `covers` reads what earlier versions wrote."""
    num_seeds: int
    num_pictures: int | None
    num_sources: NotRequired[int | None]
    """Sources of the images that were resampled; None where each image is its own. Earlier versions had none."""
    is_apart_from_zero: bool
    p_value: NotRequired[float | None]
    """Of the test whose interval this is; None where there is none. Earlier versions wrote neither it nor the next."""
    p_value_holm: NotRequired[float | None]
    """The same after Holm's correction for all comparisons of the study with a p-value."""


class ArmMetric(TypedDict):
    """A metric of an arm."""

    mean: float | None
    std: float | None
    """Standard deviation over the seeds; None of one."""
    num_seeds: int
    by_seed: dict[str, float]
    difference: Difference | None
    """From the reference arm."""


class TrialOfArm(TypedDict):
    """One trial; `error` says why one that failed does not count."""

    trial_id: str
    seed: int
    status: str
    epoch: int
    error: str | None


class ArmResult(TypedDict):
    """An arm over its seeds."""

    arm: str
    num_seeds: int
    """Completed trials; no other trial counts."""
    train_s: float | None
    """Mean over the seeds of the time spent in training steps."""
    changes: dict[str, list[Any]]
    """Config field -> the value in the arm, and that in the reference arm."""
    trials: list[TrialOfArm]
    figures: dict[str, ArmMetric]


class Metric(TypedDict):
    """A column of the table."""

    metric: str
    better: str | None


class StudyDocument(TypedDict):
    """The result of a study, as `study.json` has it."""

    study: str
    summary: str
    sweep: str
    reference: str
    seeds: list[int]
    metrics: list[Metric]
    arms: list[ArmResult]
    tuning: NotRequired[str | None]
    """How each arm's settings were chosen; None where the study has them as they are."""
    budget: str
    warnings: list[str]
    """What makes metrics incomparable, and which trials are missing."""


def differences(document: StudyDocument) -> list[Difference]:
    """Return all comparisons of arms with the reference arm, by arm and metric."""
    return [
        found
        for arm in document["arms"]
        for metric in document["metrics"]
        if (found := arm["figures"][metric["metric"]]["difference"]) is not None
    ]


def is_apart_after_holm(difference: Difference) -> bool:
    """Return whether the difference stays apart from zero, at 5 % for all comparisons of the study together."""
    corrected = difference.get("p_value_holm")
    return difference["is_apart_from_zero"] and corrected is not None and corrected < LEVEL


def covers(difference: Difference) -> str | None:
    """Return what the interval covers; earlier versions wrote `pictures` for images."""
    return None if difference["covers"] is None else difference["covers"].replace("pictures", "images")
