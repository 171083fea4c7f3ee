"""What the comparison says, on numbers that were worked out by hand."""

import pytest

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.results.best_trials import caveats, compare, differences, sentence
from orchestrator.results.trial_rows import TrialRow

SHARE = "val/background/influence_share"
GOALS = (SweepGoal(metric="val/accuracy", direction="max"),)


def row(trial_id: str, accuracy: float, share: float | None, weight: float | None = None, **config: object) -> TrialRow:
    kind = {"objective.kind": "cross_entropy"} if weight is None else {"objective.kind": "contrastive"}
    own = {} if weight is None else {"objective.background_weight": weight}
    metrics = {"val/accuracy": accuracy, SHARE: share, "val/faithfulness/max_logit_error": 1e-6}
    return TrialRow(
        trial_id=trial_id, run_id=None, status="completed", epoch=1, config={**kind, **own, **config}, metrics=metrics
    )


def said(*rows: TrialRow, goals: tuple[SweepGoal, ...] = GOALS) -> str:
    return sentence(compare(rows, goals), goals)


def test_contrastive_wins() -> None:
    assert said(row("a", 0.6, 0.75), row("b", 0.9, 0.25, 0.3)) == (
        "The best trial, b (contrastive, background weight 0.3), has a val/accuracy of 0.900, against 0.600 of the "
        "best cross-entropy trial, a (cross-entropy); its val/background/influence_share is 0.500 lower."
    )


def test_contrastive_loses() -> None:
    assert said(row("a", 0.9, 0.75), row("b", 0.6, 0.25, 0.3), row("c", 0.5, 0.1, 3)) == (
        "The best trial, a (cross-entropy), has a val/accuracy of 0.900, against 0.600 of the best contrastive trial, "
        "b (contrastive, background weight 0.3); its val/background/influence_share is 0.500 higher."
    )


def test_equal_to_three_decimals_is_no_difference() -> None:
    assert said(row("a", 0.9, 0.5), row("b", 0.9001, 0.5001, 1.0)).endswith(
        "its val/background/influence_share is the same to three decimals."
    )


def test_no_cross_entropy_trial() -> None:
    assert said(row("b", 0.6, 0.25, 0.3)).endswith(
        ". No plain cross-entropy trial has completed, so there is nothing to compare it with."
    )


def test_only_cross_entropy_trials() -> None:
    assert said(row("a", 0.6, 0.25)).endswith(
        ". No contrastive trial has completed, so there is nothing to compare it with."
    )


def test_no_trial_at_all() -> None:
    assert said() == "No trial has completed with a value of val/accuracy yet."


def test_a_metric_that_one_lacks_is_not_compared() -> None:
    comparison = compare([row("a", 0.6, None), row("b", 0.9, 0.25, 0.3)], GOALS)
    assert "influence" not in sentence(comparison, GOALS)
    share = next(item for item in differences(comparison, GOALS) if item.metric == SHARE)
    assert (share.best, share.other, share.difference, share.verdict) == ("0.250", "–", "", "")  # noqa: RUF001


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.9, "better"), (0.6, "")])
def test_verdict_follows_the_direction(accuracy: float, verdict: str) -> None:
    comparison = compare([row("a", 0.6, 0.25), row("b", accuracy, 0.5, 0.3)], GOALS)
    assert comparison.best is not None
    items = {item.metric: item for item in differences(comparison, GOALS)}
    assert items["val/accuracy"].verdict == verdict
    assert items["val/accuracy"].is_goal
    assert items[SHARE].verdict == ("worse" if comparison.best["trial_id"] == "b" else "better")


def test_a_goal_that_no_evaluation_knows_has_the_goals_direction() -> None:
    goals = (SweepGoal(metric="train/loss", direction="min"),)
    rows = [row("a", 0.6, 0.25), row("b", 0.9, 0.5, 0.3)]
    rows[0]["metrics"]["train/loss"], rows[1]["metrics"]["train/loss"] = 1.0, 0.5
    item = differences(compare(rows, goals), goals)[0]
    assert (item.metric, item.difference, item.verdict) == ("train/loss", "−0.500", "better")  # noqa: RUF001


def test_caveats_name_the_other_settings_and_the_choice() -> None:
    rows = [row("a", 0.6, 0.25, seed=0), row("b", 0.9, 0.5, 0.3, seed=1), row("c", 0.8, 0.5, 0.1, seed=1)]
    first, second = caveats(compare(rows, GOALS))
    assert "the best of 3 ranked trials, and the only one among them whose objective is plain cross-entropy." in first
    assert "also differ in seed," in second


KL: dict[str, object] = {"objective.divergence.weight": 1.0}
NOISE: dict[str, object] = {"objective.background_noise": 0.5}


def test_cross_entropy_trained_on_masks_is_not_the_reference() -> None:
    masked = row("b", 0.8, 0.25, **KL, **NOISE)
    comparison = compare([row("a", 0.6, 0.75), masked, row("c", 0.7, 0.5, 0.3)], GOALS)
    assert [found["trial_id"] for found in comparison.pair] == ["b", "a"]
    assert comparison.cross_entropy is not None
    assert comparison.cross_entropy["trial_id"] == "a"
    assert sentence(comparison, GOALS).startswith(
        "The best trial, b (cross-entropy + KL 1 + noise 0.5), has a val/accuracy of 0.800, against 0.600 of the best "
        "cross-entropy trial, a (cross-entropy);"
    )
    assert compare([masked], GOALS).cross_entropy is None


def test_reference_that_wins_is_compared_with_the_best_of_all_other_objectives() -> None:
    comparison = compare([row("a", 0.9, 0.75), row("b", 0.8, 0.25, **KL), row("c", 0.7, 0.5, 0.3)], GOALS)
    assert "against 0.800 of the best cross-entropy + KL trial, b (cross-entropy + KL 1)" in sentence(comparison, GOALS)
    assert "the best of the 2 among them whose objective is not plain" in caveats(comparison)[0]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (row("b", 0.9, 0.5, **NOISE), "The objectives differ in noise 0.5."),
        (
            row("b", 0.9, 0.5, **KL, **NOISE),
            "The objectives differ in KL 1 and noise 0.5; the comparison does not show which of these makes the "
            "difference.",
        ),
        (
            row("b", 0.9, 0.5, 0.3, **KL),
            "The objectives differ in the loss (contrastive against cross-entropy) and KL 1; the comparison does not "
            "show which of these makes the difference.",
        ),
    ],
)
def test_caveats_name_the_regularisers_that_differ(other: TrialRow, said: str) -> None:
    assert caveats(compare([row("a", 0.6, 0.25), other], GOALS))[1:] == [said]


def test_losses_without_regularisers_need_no_caveat_on_them() -> None:
    assert len(caveats(compare([row("a", 0.6, 0.25), row("b", 0.9, 0.5, 0.3)], GOALS))) == 1


def test_several_goals_compare_the_first_of_the_front() -> None:
    goals = (*GOALS, SweepGoal(metric=SHARE, direction="min"))
    comparison = compare(
        [row("a", 0.95, 0.9), row("b", 0.9, 0.5, 0.3), row("c", 0.8, 0.2, 3), row("d", 0.7, 0.3, 2)], goals
    )
    assert [found["trial_id"] for found in comparison.pair] == ["a", "b"]


@pytest.mark.parametrize(("other", "verdict"), [(0.47, "within noise"), (0.45, "better")])
def test_a_difference_within_noise_is_neither_better_nor_worse(other: float, verdict: str) -> None:
    """Of 100 images, 60 and 47 right do not differ by the z test (1.84), and 60 and 45 do (2.12)."""
    rows = [row("a", other, 0.75), row("b", 0.60, 0.25, 0.3)]
    for found in rows:
        found["num_images"], found["errors"] = {"val/accuracy": 100}, {"val/accuracy": 0.05}
    items = {item.metric: item for item in differences(compare(rows, GOALS), GOALS)}
    accuracy = items["val/accuracy"]
    assert (accuracy.verdict, accuracy.best_error, accuracy.other_error) == (verdict, "± 0.050", "± 0.050")
    assert items[SHARE].verdict == "better"
    assert "has a val/accuracy of 0.600 ± 0.050, against" in sentence(compare(rows, GOALS), GOALS)
