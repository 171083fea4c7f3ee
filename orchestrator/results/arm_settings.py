"""Which settings the arms of a study have: how they were chosen, and in what they differ."""

from collections.abc import Mapping
from typing import Any

from orchestrator.files.text import listing
from orchestrator.files.tuning import Tuning
from orchestrator.results.formatting import format_metric, format_setting

VIEWS = "views of an image in a step"
_MIXING = tuple(f"objective.{name}" for name in ("background_noise", "background_swap", "cutmix", "object_only"))
BUDGET = ("training.", "optim.", "data.", *_MIXING, "model.weights", VIEWS)
"""Beginnings of the fields that set how long an arm trains, on what, and how its images are changed."""
STATED = (
    "training.epochs",
    "training.batch_size",
    "optim.kind",
    "optim.learning_rate",
    "data.augmentation.crop_scale_min",
    "data.augmentation.flip",
    VIEWS,
)
"""Fields that are stated even where they are the same in all arms."""
Changes = dict[str, tuple[Any, Any]]
"""Field -> value in the arm and in the reference arm; None where an arm has no such field."""


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's config by dotted field, and how many views of each image a step uses."""
    return {**config, VIEWS: 2 if config["objective.kind"] == "supcon" else 1}


def changes(arm: Mapping[str, Any], reference: Mapping[str, Any]) -> Changes:
    """Return the settings of an arm that differ from those of the reference arm, at the same seed."""
    return {
        field: (arm.get(field), reference.get(field))
        for field in dict.fromkeys([*reference, *arm])
        if _differ(field, arm, reference)
    }


def _differ(field: str, arm: Mapping[str, Any], reference: Mapping[str, Any]) -> bool:
    """A setting that is switched off, such as a weight of 0, equals a missing one."""
    if field in arm and field in reference:
        return bool(arm[field] != reference[field])
    return bool(arm.get(field) or reference.get(field))


def budget_sentence(settings_of: Mapping[str, Mapping[str, Any]], reference: str) -> str:
    """Say which budget and augmentation the arms share, and where an arm differs from the reference arm."""
    expected = settings_of[reference]
    stated = ", ".join(f"{field} {format_setting(expected[field])}" for field in STATED if field in expected)
    different = [
        f"Arm {arm} has {', '.join(_change(field, *pair) for field, pair in found.items())}."
        for arm, own in settings_of.items()
        if (found := {key: pair for key, pair in changes(own, expected).items() if key.startswith(BUDGET)})
    ]
    if not different:
        return f"Budget and augmentation are the same in every arm: {stated}."
    arms = [f"Arm {reference} has {stated}.", *different]
    return f"Budget and augmentation are not the same in every arm. {' '.join(arms)}"


def tuning_sentence(tuning: Tuning, settings_of: Mapping[str, Mapping[str, Any]]) -> str:
    """Say by what the settings of each arm were chosen, on how many images, and which value each candidate had."""
    (num,) = {len(candidates) for candidates in tuning.settings.values()}
    arms = [
        f"Arm {arm} takes number {chosen.number} of {', '.join(map(format_metric, chosen.values))}."
        for arm, chosen in tuning.chosen.items()
    ]
    return (
        f"The settings of every arm are the best of {num}, by `{tuning.metric}` at seed {tuning.seed}, which is none "
        f"of the seeds above. {' '.join(arms)}{_halved(settings_of)}"
    )


def _halved(settings_of: Mapping[str, Mapping[str, Any]]) -> str:
    arms = [arm for arm, own in settings_of.items() if own.get("objective.dfr.fit_on") == "validation"]
    if not arms:
        return ""
    return (
        f" In {listing(arms)}, half of the validation images fit the last layer, and the other half gives the metric."
    )


def _change(field: str, own: Any, expected: Any) -> str:
    return f"{field} {format_setting(own)} (not {format_setting(expected)})"
