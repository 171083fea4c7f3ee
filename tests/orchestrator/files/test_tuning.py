"""How a study chooses the settings of its arms."""

from typing import Any

import pytest

from orchestrator.files.study import Study, candidates_of, study_from_tree, with_chosen
from orchestrator.files.study_sweep import study_trials, sweep_of_study
from orchestrator.files.tuning import ChosenSettings, Tuning
from trainables.config import ConfigError

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "plain": [{"optim.learning_rate": 0.1}, {"optim.learning_rate": 0.2}],
    "penalty": [{"objective.background_weight": 1}, {"objective.background_weight": 3}],
}
TREE: dict[str, Any] = {
    "name": "pair",
    "summary": "Does it help?",
    "base": "digits",
    "arms": {"plain": {}, "penalty": {"objective.kind": "contrastive"}},
    "seeds": [0, 1],
    "seed_fields": ["seed", "data.seed"],
    "evaluations": ["removal"],
    "metrics": ["test/accuracy"],
}


def study(settings: dict[str, Any] = SETTINGS, *, metric: str = "val/accuracy", seed: int = 9, **fields: Any) -> Study:
    tuning = {"metric": metric, "seed": seed, "settings": settings}
    return study_from_tree({**TREE, "tuning": tuning, **fields}, source="pair.yaml")


def test_candidates_are_trained_at_the_seed_of_the_tuning_and_read_no_test_image() -> None:
    candidates = candidates_of(study())
    assert (candidates.reads_test, candidates.evaluations, candidates.metrics) == (False, (), ("val/accuracy",))
    trials = study_trials(sweep_of_study(candidates))
    assert list(trials) == ["plain.1-s9", "plain.2-s9", "penalty.1-s9", "penalty.2-s9"]
    assert {(trial.seed, trial.data.seed) for trial in trials.values()} == {(9, 9)}
    assert [trials[f"plain.{number}-s9"].optim.learning_rate for number in (1, 2)] == [0.1, 0.2]
    assert trials["penalty.2-s9"].objective.background_weight == 3  # type: ignore[union-attr]


def test_arms_take_what_was_chosen() -> None:
    chosen = {
        "plain": ChosenSettings(number=2, values=(0.5, 0.75)),
        "penalty": ChosenSettings(number=1, values=(0.5, None)),
    }
    tuned = with_chosen(study(), chosen)
    assert tuned.arms == {
        "plain": {"optim.learning_rate": 0.2},
        "penalty": {"objective.kind": "contrastive", "objective.background_weight": 1},
    }
    assert tuned.tuning is not None
    assert tuned.tuning.chosen == chosen
    assert sweep_of_study(tuned).name != sweep_of_study(study()).name


@pytest.mark.parametrize(
    ("values", "direction", "number"),
    [
        ([0.5, 0.75, 0.75], "max", 2),
        ([0.5, 0.25, 0.75], "min", 2),
        ([None, 0.25, None], "max", 2),
    ],
)
def test_the_best_is_the_first_of_equal_ones(values: list[float | None], direction: str, number: int) -> None:
    best = Tuning.best(values, direction=direction)
    assert best is not None
    assert (best.number, best.values) == (number, tuple(values))


def test_nothing_is_best_where_all_have_failed() -> None:
    assert Tuning.best([None, None], direction="max") is None


def test_some_arms_keep_their_candidates() -> None:
    three = {**SETTINGS, "noise": [{}, {"objective.background_noise": 0.1}]}
    whole = study(three, arms={**TREE["arms"], "noise": {"objective.background_noise": 0.2}})
    some = whole.only(arms=["plain", "noise"])
    assert some.tuning is not None
    assert list(some.tuning.settings) == ["plain", "noise"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"settings": {**SETTINGS, "plain": [{}]}},
            "every arm has the same number of candidates; plain has 1, penalty has 2",
        ),
        ({"settings": {"plain": [{}]}}, "tuning.settings names plain; expected the arms: plain, penalty"),
        ({"seed": 1}, "tuning.seed = 1 is one of seeds = 0, 1, on which the study reports; take another"),
        (
            {"settings": {**SETTINGS, "plain": [{"seed": 1}, {}]}},
            "tuning.settings.plain sets seed, which each of seeds = 0, 1 sets too",
        ),
    ],
)
def test_what_is_no_tuning_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        study(**changes)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("test/accuracy", r"study pair: tuning\.metric test/accuracy .* val/accuracy"),
        ("val/nonsense", r"study pair: tuning\.metric val/nonsense is reported by no trial"),
        ("val/shift/other/accuracy", r"needs groups or a shifted validation set that the data do not have"),
    ],
)
def test_settings_are_chosen_on_validation_images(metric: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sweep_of_study(study(metric=metric))


def test_a_study_written_before_there_was_tuning_is_read() -> None:
    found = study_from_tree(TREE, source="pair.yaml")
    assert (found.tuning, found.reads_test) == (None, True)
