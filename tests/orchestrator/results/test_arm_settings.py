"""What is said of the settings of a study's arms."""

from typing import Any

import pytest

from orchestrator.files.tuning import ChosenSettings, Tuning
from orchestrator.results.arm_settings import VIEWS, budget_sentence, changes, settings, tuning_sentence
from trainables.config import experiment_from_tree, flatten, override


def arm(**overrides: Any) -> dict[str, Any]:
    """Return the settings of the default experiment with `section__field` set."""
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return settings(flatten(experiment_from_tree(override({}, dotted))))


STATED = f"training.epochs 10, training.batch_size 64, optim.kind adamw, optim.learning_rate 0.001, {VIEWS} 1"


def test_equal_budgets_are_said_to_be_equal() -> None:
    arms = {"plain": arm(), "contrastive": arm(objective__kind="contrastive"), "edits": arm(model__final_relu=False)}
    assert budget_sentence(arms, "plain") == f"Budget and augmentation are the same in every arm: {STATED}."


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"training__epochs": 20}, "other has training.epochs 20 (not 10)."),
        (
            {"optim__kind": "sgd"},
            "other has optim.kind sgd (not adamw), optim.momentum 0.9 (not –), optim.nesterov true (not –).",  # noqa: RUF001
        ),
        ({"objective__background_noise": 0.2}, "other has objective.background_noise 0.2 (not 0)."),
        ({"objective__kind": "supcon"}, f"other has {VIEWS} 2 (not 1)."),
        ({"data__correlation": 0.5}, "other has data.correlation 0.5 (not 0.95)."),
    ],
)
def test_each_difference_is_said_with_both_values(overrides: dict[str, Any], said: str) -> None:
    sentence = budget_sentence({"plain": arm(), "other": arm(**overrides)}, "plain")
    assert sentence == f"Budget and augmentation are not the same in every arm. Arm plain has {STATED}. Arm {said}"


def test_mixing_of_images_is_augmentation() -> None:
    sentence = budget_sentence({"plain": arm(), "mixed": arm(objective__cutmix={"alpha": 0.5})}, "plain")
    assert "mixed has objective.cutmix.probability 0.5 (not –), objective.cutmix.alpha 0.5 (not –)." in sentence  # noqa: RUF001
    sentence = budget_sentence({"plain": arm(), "alone": arm(objective__object_only={"fill": "grey"})}, "plain")
    assert "alone has objective.object_only.probability 1 (not –), objective.object_only.fill grey (not –)." in sentence  # noqa: RUF001


def test_augmentation_of_images_is_stated() -> None:
    image_files = arm(data={"kind": "image_folder", "root": "x"})
    assert "data.augmentation.crop_scale_min 0.5, data.augmentation.flip true" in budget_sentence(
        {"a": image_files}, "a"
    )


def test_changes_name_what_the_arm_has_and_the_reference_has() -> None:
    assert changes(arm(objective__kind="contrastive"), arm()) == {
        "objective.kind": ("contrastive", "cross_entropy"),
        "objective.background_weight": (1.0, None),
    }
    assert changes(arm(), arm()) == {}


def test_part_that_is_switched_off_is_as_one_that_is_not_there() -> None:
    changed = changes(arm(objective__kind="triplet"), arm())
    assert "objective.background_noise" not in changed
    assert "objective.cutmix" not in changed
    assert changed["objective.margin"] == (0.3, None)


def test_tuning_names_metric_seed_images_and_the_values_of_every_candidate() -> None:
    tuning = Tuning(
        metric="val/worst_group_accuracy",
        seed=9,
        settings={"plain": ({"optim.learning_rate": 0.1}, {"optim.learning_rate": 0.2}), "other": ({}, {"seed": 1})},
        chosen={
            "plain": ChosenSettings(number=2, values=(0.25, 0.5)),
            "other": ChosenSettings(number=1, values=(0.75, None)),
        },
    )
    sentence = (
        "The settings of every arm are the best of 2, by `val/worst_group_accuracy` at seed 9, which is none of the "
        "seeds above. Arm plain takes number 2 of 0.250, 0.500. Arm other takes number 1 of 0.750, –."  # noqa: RUF001
    )
    assert tuning_sentence(tuning, {"plain": arm(), "other": arm(objective__dfr={"fit_on": "training"})}) == sentence
    assert tuning_sentence(tuning, {"plain": arm(), "other": arm(objective__dfr={})}) == (
        f"{sentence} In other, half of the validation images fit the last layer, and the other half gives the metric."
    )
