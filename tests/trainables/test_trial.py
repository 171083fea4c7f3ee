"""A whole trial: what it leaves in its folder, and what it does not do twice."""

import math
from pathlib import Path

import pytest
import torch

from tests.trainables.conftest import CPU, MakeConfig, Train
from trainables.config import ConfigError
from trainables.data import build_data
from trainables.evaluations import direction
from trainables.training import LocalContext
from trainables.trial import EPOCH_SUITE, evaluate, load_model, run_trial
from trainables.trial_folder import Row, TrialFolder, read_json, write_json

EPOCH_ROW = {
    "epoch",
    "train/loss",
    "train/accuracy",
    "train/samples_without_mask",
    "optim/learning_rate",
    "time/train_s",
    "time/images_per_s",
    "time/epoch_s",
}
MEASURED = {
    "val/loss",
    "val/accuracy",
    "val/calibration_error",
    "faithfulness/max_logit_error",
    "background/influence_share",
    "background/foreground_influence",
    "background/background_influence",
}
SHIFT = {"shift/random_background/accuracy", "shift/unseen_textures/accuracy"}


def drawn(folder: TrialFolder) -> dict[str, list[str]]:
    return {epoch.name: sorted(panel.stem for panel in epoch.iterdir()) for epoch in (folder.path / "panels").glob("*")}


def stop_at_once(_: Row) -> None:
    raise SystemExit


def test_a_trial_leaves_rows_and_an_evaluation_of_the_agreed_names(make_config: MakeConfig, train: Train) -> None:
    reported: list[Row] = []
    folder = train(make_config(), on_report=reported.append)
    rows, evaluation = folder.rows(), folder.evaluation()
    assert evaluation is not None
    assert [set(row) for row in rows] == [EPOCH_ROW | MEASURED] * 3
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert set(evaluation) == MEASURED | SHIFT
    assert {name: rows[-1][name] for name in MEASURED} == {name: evaluation[name] for name in MEASURED}
    assert all(direction(name) for name in evaluation)
    assert all(math.isfinite(value) for row in [*rows, evaluation] for value in row.values())
    assert reported == [*rows, {**rows[-1], **evaluation}]


def test_the_folder_describes_config_data_and_network(make_config: MakeConfig, train: Train) -> None:
    config = make_config()
    folder = train(config)
    data = build_data(config.data)
    assert folder.config() == config
    assert read_json(folder.path / "data.json") == {
        "name": "spurious_digits",
        "digest": data.train.digest(),
        "val_digest": data.val.digest(),
        "num_train": 64,
        "num_val": 32,
        "class_names": [str(digit) for digit in range(10)],
    }
    assert set(read_json(folder.path / "model.json")) == {"edits", "num_parameters"}


def test_a_folder_of_another_config_is_refused_before_anything_is_written(
    make_config: MakeConfig, train: Train
) -> None:
    folder = train(make_config({"training.epochs": 2}))
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match="continue the old trial with its own config"):
        train(make_config({"training.epochs": 3}))
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before


def test_an_evaluation_that_is_there_is_not_made_again(make_config: MakeConfig, train: Train) -> None:
    config = make_config()
    folder = train(config)
    write_json(folder.evaluation_path, {"val/accuracy": 0.125, "shift/elsewhere/accuracy": 0.5})
    before = folder.evaluation_path.stat().st_mtime_ns
    reported: list[Row] = []
    train(config, on_report=reported.append)
    assert folder.evaluation_path.stat().st_mtime_ns == before
    assert reported == [{**folder.rows()[-1], "val/accuracy": 0.125, "shift/elsewhere/accuracy": 0.5}]


def test_an_evaluation_that_is_missing_is_made_without_training(make_config: MakeConfig, train: Train) -> None:
    config = make_config()
    folder = train(config)
    expected, rows = folder.evaluation(), folder.rows()
    folder.evaluation_path.unlink()
    reported: list[Row] = []
    train(config, on_report=reported.append)
    assert folder.evaluation() == expected
    assert folder.rows() == rows
    assert len(reported) == 1


def test_the_end_of_a_trial_predicts_the_shifted_sets_alone(
    make_config: MakeConfig, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainables.evaluations import Subject

    sizes = []
    original = Subject.predictions

    def counting(self: Subject, pictures: object) -> object:
        sizes.append(pictures.name)  # type: ignore[attr-defined]
        return original(self, pictures)  # type: ignore[arg-type]

    monkeypatch.setattr(Subject, "predictions", counting)
    train(make_config())
    assert sizes == ["val"] * 3 + ["random_background", "unseen_textures"]


def test_shifted_sets_can_be_measured_every_epoch(make_config: MakeConfig, train: Train) -> None:
    at_end = train(make_config(), "end")
    every = train(make_config({"evaluation.shift_every_epoch": True}), "every")
    assert [set(row) for row in every.rows()] == [EPOCH_ROW | MEASURED | SHIFT] * 3
    assert every.evaluation() == at_end.evaluation()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"panel_every_epochs": None}, ["epoch-3"]),
        ({"panel_every_epochs": 1}, ["epoch-1", "epoch-2", "epoch-3"]),
        ({"panel_every_epochs": 2}, ["epoch-2", "epoch-3"]),
        ({"panel_every_epochs": 1, "panel_images": 0}, []),
        ({"panel_images": 1}, ["epoch-3"]),
    ],
)
def test_panels_of_fixed_pictures_are_drawn_when_due(
    make_config: MakeConfig, train: Train, settings: dict[str, int | None], expected: list[str]
) -> None:
    settings = {"panel_images": 2, **settings}
    folder = train(make_config({f"evaluation.{name}": value for name, value in settings.items()}))
    pictures = ["val-00000", "val-00031"][: settings["panel_images"]]
    assert drawn(folder) == dict.fromkeys(expected, pictures)


def test_panels_that_are_due_are_there_when_the_epoch_is_reported(make_config: MakeConfig, tmp_path: Path) -> None:
    folder, seen = TrialFolder(tmp_path), []
    config = make_config({"evaluation.panel_images": 1, "evaluation.panel_every_epochs": 2})
    run_trial(config, LocalContext(folder, lambda row: seen.append((row["epoch"], sorted(drawn(folder)))), device=CPU))
    assert seen == [(1, []), (2, ["epoch-2"]), (3, ["epoch-2"]), (3, ["epoch-2", "epoch-3"])]


@pytest.mark.parametrize("overrides", [{}, {"training.ema_decay": 0.9, "model.norm": "batch"}], ids=["plain", "ema"])
def test_the_network_that_was_validated_is_the_one_that_is_loaded(
    make_config: MakeConfig, train: Train, overrides: dict[str, object]
) -> None:
    config = make_config(overrides)
    folder = train(config)
    model = load_model(folder, CPU)
    assert not model.training
    context = LocalContext(folder, device=CPU)
    found = evaluate(config, context, model, build_data(config.data), EPOCH_SUITE)
    assert found == {name: folder.rows()[-1][name] for name in found}
    state = folder.load_state(CPU)
    assert state is not None
    is_trained = torch.equal(model.head.weight, state["model"]["head.weight"])
    assert is_trained == (config.training.ema_decay is None)


def test_the_network_of_a_stopped_trial_is_that_of_its_last_epoch(make_config: MakeConfig, train: Train) -> None:
    with pytest.raises(SystemExit):
        train(make_config(), "stopped", on_report=stop_at_once)
    folder = train(make_config(), "whole")
    stopped = TrialFolder(folder.path.with_name("stopped"))
    assert [row["epoch"] for row in stopped.rows()] == [1]
    assert stopped.evaluation() is None
    found = load_model(stopped, CPU).head.weight
    assert not torch.equal(found, load_model(folder, CPU).head.weight)


def test_a_trial_without_a_finished_epoch_has_no_network(make_config: MakeConfig, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.claim(make_config())
    with pytest.raises(FileNotFoundError, match="has not finished an epoch"):
        load_model(folder, CPU)


@pytest.mark.parametrize("learning_rate", [1e20, 1e30])
def test_a_diverging_trial_fails_with_advice_and_no_epoch(
    make_config: MakeConfig, train: Train, tmp_path: Path, learning_rate: float
) -> None:
    """With one step an epoch the loss is taken before the step that spoils the weights."""
    config = make_config(
        {
            "optim.kind": "sgd",
            "optim.learning_rate": learning_rate,
            "optim.warmup_epochs": 0,
            "training.batch_size": 64,
            "model.head_bias": True,
            "model.final_norm": False,
            "evaluation.panel_images": 1,
            "evaluation.panel_every_epochs": 1,
        }
    )
    with pytest.raises(FloatingPointError, match=r"loss of epoch 1 is (nan|inf): lower optim\.learning_rate"):
        train(config)
    folder = TrialFolder(tmp_path / "trial")
    assert folder.load_state(CPU) is None
    assert folder.rows() == []


def test_the_objective_is_what_a_trial_minimises(make_config: MakeConfig, train: Train) -> None:
    """A few steps with the penalty alone move the influence off the background."""
    base = {"training.epochs": 6, "optim.learning_rate": 0.02}
    plain = train(make_config(base), "plain").rows()[-1]
    weighted = {**base, "objective.kind": "contrastive", "objective.background_weight": 5.0}
    contrastive = train(make_config(weighted), "contrastive").rows()[-1]
    assert contrastive["background/background_influence"] < 0.5 * plain["background/background_influence"]
