"""Whether the arms of a study had the same budget and saw their images changed in the same ways."""

from collections.abc import Mapping
from typing import Any

from orchestrator.results.formatting import format_setting

VIEWS = "views of an image in a step"
BUDGET = ("training.", "optim.", "data.", "objective.cutmix", "objective.background_noise", "model.weights", VIEWS)
"""What the fields begin with that say how long an arm trains, on what, and how its images are changed."""
STATED = (
    "training.epochs",
    "training.batch_size",
    "optim.kind",
    "optim.learning_rate",
    "data.augmentation.crop_scale_min",
    "data.augmentation.flip",
    VIEWS,
)
"""Those that are stated even where they are the same in all arms."""
Changes = dict[str, tuple[Any, Any]]
"""Field -> what the arm has, and what the reference arm has; None where it has no such field."""


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's config by dotted field, with how often a step shows each of its images to the network."""
    return {**config, VIEWS: 2 if config["objective.kind"] == "supcon" else 1}


def changes(arm: Mapping[str, Any], reference: Mapping[str, Any]) -> Changes:
    """Return what the settings of an arm have otherwise than those of the reference arm, at the same seed."""
    return {
        field: (arm.get(field), reference.get(field))
        for field in dict.fromkeys([*reference, *arm])
        if _differ(field, arm, reference)
    }


def _differ(field: str, arm: Mapping[str, Any], reference: Mapping[str, Any]) -> bool:
    """A part that is switched off, such as a weight of 0, is as one that is not there."""
    if field in arm and field in reference:
        return bool(arm[field] != reference[field])
    return bool(arm.get(field) or reference.get(field))


def budget_sentence(settings_of: Mapping[str, Mapping[str, Any]], reference: str) -> str:
    """Say what budget and augmentation the arms share, and where an arm differs from the reference arm."""
    expected = settings_of[reference]
    stated = ", ".join(f"{field} {format_setting(expected[field])}" for field in STATED if field in expected)
    different = [
        f"{arm} has {', '.join(_change(field, *pair) for field, pair in found.items())}"
        for arm, own in settings_of.items()
        if (found := {key: pair for key, pair in changes(own, expected).items() if key.startswith(BUDGET)})
    ]
    if not different:
        return f"Budget and augmentation are the same in every arm: {stated}."
    return (
        f"Budget and augmentation are not the same in every arm. {reference} has {stated}; "
        f"otherwise than that, {'; '.join(different)}."
    )


def _change(field: str, own: Any, expected: Any) -> str:
    return f"{field} {format_setting(own)} (not {format_setting(expected)})"
