"""The end of a sweep: its chosen trials on the test images, and what was read before that."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.files.search_state import SearchState
from orchestrator.launch.chosen import evaluate_chosen
from orchestrator.launch.evaluation import EvaluationRequest, evaluate_run
from orchestrator.results.trial_rows import trial_rows
from trainables.json_file import read_object
from trainables.split_log import split_log
from trainables.training import LocalContext
from trainables.trial import run_trial
from trainables.trial_folder import TrialFolder

TINY: dict[str, Any] = {
    "data": {"kind": "spurious_digits", "num_train": 64, "num_test": 32, "image_size": 32},
    "model": {"kind": "small_cnn", "width": 4, "norm": "group"},
    "optim": {"kind": "adamw", "warmup_epochs": 0},
    "training": {"epochs": 2, "batch_size": 16},
    "evaluation": {"panel_images": 0},
}
LOSS = [{"metric": "val/loss", "direction": "min"}]
GOALS = [{"metric": "val/worst_group_accuracy", "direction": "max"}, {"metric": "val/loss", "direction": "min"}]
Ready = Callable[..., Any]


@pytest.fixture
def trained(make_sweep: Callable[..., Any]) -> Ready:
    """Returns a sweep of which some trials, by default all, were trained, at a learning rate each."""

    def make(num_trials: int = 2, *, num_trained: int | None = None, **fields: Any) -> Any:
        sweep = make_sweep(**{"base": TINY, "num_trials": num_trials, **fields}).folder
        for number in range(num_trials if num_trained is None else num_trained):
            folder = sweep.trial(f"{number:04d}")
            folder.claim(sweep.config().experiment({"optim.learning_rate": 0.01 / (1 + number)}))
            run_trial(folder.config(), LocalContext(folder))
            folder.finish()
        return sweep

    return make


def log(folder: TrialFolder) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in split_log(folder.path).read_text().splitlines()]
    assert all(line.keys() == {"time", "split", "by"} for line in lines)
    return [(line["split"], line["by"]) for line in lines]


def test_the_test_images_are_read_once_at_the_end_for_the_best_trial_alone(trained: Ready) -> None:
    sweep = trained(goals=LOSS)
    training = [("val", "epoch 1"), ("val", "epoch 2")]
    logs = {trial_id: log(sweep.trial(trial_id)) for trial_id in sweep.trial_ids()}
    assert logs == {"0000": training, "0001": training}
    losses = {trial_id: sweep.trial(trial_id).evaluation()["val/loss"] for trial_id in logs}
    best = min(losses, key=lambda trial_id: losses[trial_id])
    assert evaluate_chosen(sweep, address=None) == [best]
    assert {trial_id: log(sweep.trial(trial_id)) for trial_id in logs} == {
        **logs,
        best: [*training, ("test", "sweep")],
    }
    metrics = sweep.trial(best).evaluation()
    assert {"val/accuracy", "test/accuracy", "test/worst_group_accuracy", "shift/unseen_textures/accuracy"} <= set(
        metrics
    )
    (other,) = set(logs) - {best}
    assert {name.partition("/")[0] for name in sweep.trial(other).evaluation()} == {"val"}
    assert evaluate_chosen(sweep, address=None) == []


def test_an_accuracy_of_each_set_has_the_number_of_its_images(trained: Ready) -> None:
    sweep = trained(1, goals=LOSS)
    assert evaluate_chosen(sweep, address=None) == ["0000"]
    groups = read_object(sweep.trial("0000").evaluations_path / "groups.json")["settings"]
    known = {name: accuracy for name, accuracy in groups["accuracy"].items() if groups["num_by_group"][name]}
    worst = [groups["num_by_group"][name] for name in known if known[name] == min(known.values())]
    (row,) = trial_rows(sweep, {})
    val = row["metrics"]["val/worst_group_size"]
    assert row["num_images"] == {
        **dict.fromkeys(("val/accuracy", "test/accuracy"), 32),
        **dict.fromkeys(("shift/random_background/accuracy", "shift/unseen_textures/accuracy"), 32),
        "val/worst_group_accuracy": val,
        "test/worst_group_accuracy": min(worst),
        "val/group_adjusted_accuracy": round(row["metrics"]["val/group_adjusted_size"]),
        "test/group_adjusted_accuracy": round(row["metrics"]["test/group_adjusted_size"]),
    }
    assert row["errors"].keys() == row["num_images"].keys()


def test_nothing_is_read_while_trials_are_left(trained: Ready) -> None:
    sweep = trained(goals=LOSS)
    sweep.trial("0001").outcome_path.unlink()
    assert evaluate_chosen(sweep, address=None) == []
    assert log(sweep.trial("0000"))[-1] == ("val", "epoch 2")


def test_a_search_that_ended_early_has_its_best_trial_evaluated(trained: Ready) -> None:
    sweep = trained(3, num_trained=1, stop_when=["no improvement for 1"], goals=LOSS)
    assert evaluate_chosen(sweep, address=None) == []
    SearchState(0.0, "no improvement for 1", "trial 0000 was the last to improve").write(sweep.search_path)
    assert evaluate_chosen(sweep, address=None) == ["0000"]


def test_the_whole_front_of_several_goals_is_evaluated(trained: Ready) -> None:
    sweep = trained(goals=GOALS)
    front = evaluate_chosen(sweep, address=None)
    assert front
    tested = {trial_id for trial_id in sweep.trial_ids() if "test/accuracy" in sweep.trial(trial_id).evaluation()}
    assert tested == set(front)


def test_a_trial_that_cannot_be_evaluated_is_a_warning(trained: Ready, caplog: pytest.LogCaptureFixture) -> None:
    sweep = trained(1, goals=LOSS)
    for path in Path(sweep.trial("0000").path, "checkpoint").glob("*.pt"):
        path.write_bytes(b"no checkpoint")
    assert evaluate_chosen(sweep, address=None) == []
    assert "0000 is not evaluated on the test images: " in caplog.text
    assert f"try: campaign evaluate {sweep.path.name}/0000" in caplog.text


def test_one_held_out_set_has_been_measured_by_the_trial(trained: Ready) -> None:
    data = {**TINY["data"], "validation": {"source": "held_out"}}
    sweep = trained(1, base={**TINY, "data": data}, goals=LOSS)
    assert evaluate_chosen(sweep, address=None) == []
    assert log(sweep.trial("0000"))[-1] == ("val", "end of training")


def test_an_evaluation_by_hand_is_logged_too(trained: Ready) -> None:
    folder = trained(1).trial("0000")
    evaluate_run(EvaluationRequest(folder, {}, split="val"))
    evaluate_run(EvaluationRequest(folder, {}))
    assert log(folder)[-2:] == [("val", "campaign evaluate"), ("test", "campaign evaluate")]
