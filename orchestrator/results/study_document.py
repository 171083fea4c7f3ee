"""The result of a study as `study.json` has it."""

from typing import Any, TypedDict


class Difference(TypedDict):
    """A `SeedDifference` as JSON has it."""

    mean: float
    low: float | None
    high: float | None
    covers: str | None
    num_seeds: int
    num_pictures: int | None
    is_apart_from_zero: bool


class Figure(TypedDict):
    """A metric of an arm."""

    mean: float | None
    std: float | None
    """Standard deviation over the seeds; None of one."""
    num_seeds: int
    by_seed: dict[str, float]
    difference: Difference | None
    """From the reference arm."""


class TrialOfArm(TypedDict):
    """One trial, and why it does not count where it has not completed."""

    trial_id: str
    seed: int
    status: str
    epoch: int
    error: str | None


class ArmResult(TypedDict):
    """An arm over its seeds."""

    arm: str
    num_seeds: int
    """Trials that completed, which are those that count."""
    train_s: float | None
    """Mean over the seeds of the time spent in training steps."""
    changes: dict[str, list[Any]]
    """Config field -> what the arm has, and what the reference arm has."""
    trials: list[TrialOfArm]
    figures: dict[str, Figure]


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
    budget: str
    warnings: list[str]
    """What keeps figures from being compared, and which trials are missing."""
