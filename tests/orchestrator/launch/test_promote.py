"""The best trials at another scale: what is chosen, what changes, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.launch.promote import Choice, differences, plan_promotion, prepare, sweep_of_promotion
from orchestrator.tracking import resolve_store
from trainables.config import ConfigError, flatten


@pytest.fixture
def sweep(make_sweep: Callable[..., Any]) -> Any:
    """0.8, 0.9 and 0.7 in the order of the trials, then one that failed."""
    sweep = make_sweep()
    for index, accuracy in enumerate((0.8, 0.9, 0.7)):
        sweep.complete(f"000{index}", {"val/accuracy": accuracy}, {"seed": index})
    sweep.start("0003", epochs=1)
    sweep.folder.trial("0003").finish("OSError: full")
    return sweep


@pytest.fixture
def scale(tmp_path: Path) -> str:
    path = tmp_path / "large.yaml"
    path.write_text("set:\n  training.epochs: 20\n  resources.workers: 2\n", encoding="utf-8")
    return str(path)


def test_best_trials_are_chosen_and_keep_their_ids(sweep: Any, scale: str) -> None:
    assert list(plan_promotion(sweep.folder, scale=scale).after) == ["0001"]
    assert list(plan_promotion(sweep.folder, Choice(top=3), scale=scale).after) == ["0001", "0000", "0002"]


def test_named_trials_are_chosen_whatever_their_rank(sweep: Any, scale: str) -> None:
    assert list(plan_promotion(sweep.folder, Choice(trial_ids=["0002", "0003"]), scale=scale).after) == ["0002", "0003"]


def test_front_goes_before_the_first_goal(make_sweep: Callable[..., Any], scale: str) -> None:
    goals = [{"metric": "val/accuracy", "direction": "max"}, {"metric": "val/loss", "direction": "min"}]
    sweep = make_sweep(goals=goals)
    for index, (accuracy, loss) in enumerate([(0.8, 0.9), (0.8, 0.5), (0.5, 0.1)]):
        sweep.complete(f"000{index}", {"val/accuracy": accuracy, "val/loss": loss})
    assert list(plan_promotion(sweep.folder, Choice(top=3), scale=scale).after) == ["0001", "0002", "0000"]


def test_whole_front_is_chosen(make_sweep: Callable[..., Any], scale: str) -> None:
    goals = [{"metric": "val/accuracy", "direction": "max"}, {"metric": "val/loss", "direction": "min"}]
    sweep = make_sweep(goals=goals)
    for index, (accuracy, loss) in enumerate([(0.8, 0.9), (0.8, 0.5), (0.5, 0.1)]):
        sweep.complete(f"000{index}", {"val/accuracy": accuracy, "val/loss": loss})
    assert list(plan_promotion(sweep.folder, Choice(front=True), scale=scale).after) == ["0001", "0002"]


def test_front_of_nothing_is_refused(make_sweep: Callable[..., Any], scale: str) -> None:
    with pytest.raises(ConfigError, match=r"has no completed trial; finish it with: campaign resume "):
        plan_promotion(make_sweep().folder, Choice(front=True), scale=scale)


def test_trials_are_chosen_in_one_way(sweep: Any, scale: str) -> None:
    with pytest.raises(ConfigError, match=r"--top, --front and --trial each choose the trials"):
        plan_promotion(sweep.folder, Choice(top=2, front=True), scale=scale)


def test_differences_are_what_changes(sweep: Any, scale: str) -> None:
    promotion = plan_promotion(sweep.folder, scale=scale, overrides={"training.epochs": 30})
    assert differences(promotion) == [
        "0001  training.epochs: 10 -> 30",
        "0001  resources.workers: 0 -> 2",
    ]
    before, after = flatten(promotion.before["0001"]), flatten(promotion.after["0001"])
    assert {field: after[field] for field in after if after[field] != before[field]} == {
        "training.epochs": 30,
        "resources.workers": 2,
    }


def test_rules_move_what_neither_the_scale_nor_the_user_sets(sweep: Any, tmp_path: Path) -> None:
    path = tmp_path / "batch.yaml"
    path.write_text("set: {training.batch_size: 256}\ntransfer: [learning_rate_with_batch]\n", encoding="utf-8")
    (config,) = plan_promotion(sweep.folder, scale=str(path)).after.values()
    assert config.optim.learning_rate == pytest.approx(2e-3)
    (config,) = plan_promotion(sweep.folder, scale=str(path), overrides={"optim.learning_rate": 0.5}).after.values()
    assert config.optim.learning_rate == 0.5
    path.write_text(
        "set: {training.batch_size: 256, optim.learning_rate: 0.1}\ntransfer: [learning_rate_with_batch]\n",
        encoding="utf-8",
    )
    (config,) = plan_promotion(sweep.folder, scale=str(path)).after.values()
    assert config.optim.learning_rate == 0.1


def test_fields_may_be_set_by_section(sweep: Any, tmp_path: Path) -> None:
    path = tmp_path / "sections.yaml"
    path.write_text(
        "set: {training: {batch_size: 32}, optim: {learning_rate: 0.5}}\ntransfer: [learning_rate_with_batch]\n",
        encoding="utf-8",
    )
    (config,) = plan_promotion(sweep.folder, scale=str(path)).after.values()
    assert (config.training.batch_size, config.optim.learning_rate) == (32, 0.5)
    (config,) = plan_promotion(
        sweep.folder, scale=str(path), overrides={"optim": {"learning_rate": 0.25}}
    ).after.values()
    assert config.optim.learning_rate == 0.25


def test_differences_name_the_fields_of_another_kind(sweep: Any, scale: str) -> None:
    promotion = plan_promotion(sweep.folder, scale=scale, overrides={"objective.kind": "contrastive"})
    assert differences(promotion)[:2] == [
        "0001  objective.kind: cross_entropy -> contrastive",
        "0001  training.epochs: 10 -> 20",
    ]
    assert "0001  objective.background_weight: None -> 1.0" in differences(promotion)


def test_promoted_sweep_holds_the_trials_of_its_plan(sweep: Any, scale: str, tmp_path: Path) -> None:
    promotion = plan_promotion(sweep.folder, Choice(top=2), scale=scale)
    folder = prepare(promotion, tmp_path, resolve_store(tmp_path))
    config = folder.config()
    assert (config.name, config.campaign, config.space, config.num_trials) == ("first-large", "digits", None, 2)
    assert folder.unfinished() == ["0000", "0001"]
    assert {trial_id: folder.trial(trial_id).config() for trial_id in ("0000", "0001")} == dict(promotion.after)


@pytest.mark.parametrize("metric", ["shift/unseen_textures/accuracy", "val/worst_group_accuracy"])
def test_goals_that_the_data_cannot_report_are_left_out(
    make_sweep: Callable[..., Any], tmp_path: Path, metric: str
) -> None:
    shifted = {"metric": metric, "direction": "max"}
    accuracy = {"metric": "val/accuracy", "direction": "max"}
    path = tmp_path / "folders.yaml"
    path.write_text("set: {data.kind: image_folder, data.root: here}\n", encoding="utf-8")

    def goals(name: str, scale: str, *goals: dict[str, str]) -> list[str]:
        sweep = make_sweep(name=name, goals=list(goals))
        sweep.complete("0000", {goal["metric"]: 0.5 for goal in goals})
        promoted = sweep_of_promotion(plan_promotion(sweep.folder, scale=scale), resolve_store(tmp_path))
        return [goal.metric for goal in promoted.goals]

    both = [shifted["metric"], accuracy["metric"]]
    assert goals("same", "digits-full", shifted, accuracy) == both
    assert goals("other", str(path), shifted, accuracy) == [accuracy["metric"]]
    assert goals("none", str(path), shifted) == ["val/accuracy"]


def test_promotion_can_be_prepared_again_and_not_with_other_trials(sweep: Any, scale: str, tmp_path: Path) -> None:
    store = resolve_store(tmp_path)
    prepare(plan_promotion(sweep.folder, scale=scale), tmp_path, store)
    prepare(plan_promotion(sweep.folder, scale=scale), tmp_path, store)
    with pytest.raises(ConfigError, match="there is a sweep 'first-large' already"):
        prepare(plan_promotion(sweep.folder, Choice(top=2), scale=scale), tmp_path, store)
    with pytest.raises(ConfigError, match="with other base"):
        prepare(
            plan_promotion(sweep.folder, Choice(trial_ids=["0000"]), scale=scale, name="first-large"), tmp_path, store
        )


def test_unknown_trial_is_refused_with_the_names_there_are(sweep: Any, scale: str) -> None:
    with pytest.raises(ConfigError, match="first has no trial 0009; valid ids: 0000, 0001, 0002, 0003"):
        plan_promotion(sweep.folder, Choice(trial_ids=["0000", "0009"]), scale=scale)


def test_fewer_completed_trials_than_asked_for_are_refused(sweep: Any, scale: str) -> None:
    with pytest.raises(ConfigError, match=r"first has 3 completed trials, and --top is 4; .* campaign resume first"):
        plan_promotion(sweep.folder, Choice(top=4), scale=scale)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {epochs: 3}", "expected a mapping `set` of config fields .*; found training"),
        ("set: [1]", "expected a mapping `set`"),
        ("set: {seed: 1}\ntransfer: lr", r"transfer = 'lr'; expected a list of rules, such as \[learning_rate"),
        ("set: {seed: 1}\ntransfer: [lr]", "transfer: no rule lr; valid rules: learning_rate_with_batch, "),
        ("set: {seed: 1}\nmore: 2", "found set, more"),
        ("", "found nothing"),
        ("set: {training.epoch: 3}", r"trial 0001 at scale .*bad\.yaml: training\.epoch: unknown field"),
        ("set: {resources.workers: 3}", "training.batch_size = 64 is no multiple of 3"),
    ],
)
def test_scale_that_does_not_work_is_refused(sweep: Any, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        plan_promotion(sweep.folder, scale=str(path))


def test_scale_of_an_earlier_version_is_read(make_sweep: Callable[..., Any], tmp_path: Path) -> None:
    sweep = make_sweep(base={"training": {"ema_decay": 0.5, "batch_size": 64}})
    sweep.complete("0000", {"val/accuracy": 0.5})
    path = tmp_path / "old.yaml"
    path.write_text(
        "set: {training.batch_size: 128, evaluation.suite.pictures.gallery_images: 2}\n"
        "transfer: [average_with_batch]\n",
        encoding="utf-8",
    )
    (config,) = plan_promotion(sweep.folder, scale=str(path)).after.values()
    assert config.evaluation.suite.images.gallery_images == 2
    assert config.training.ema_decay == 0.25
