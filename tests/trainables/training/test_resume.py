"""A trial that was cut off and goes on equals one that never stopped, bit for bit on a CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.harness.counted_epochs import CountEpochs, epochs_in_files
from tests.harness.fault_message import NoteMessage
from tests.harness.scarce import file_size_limit
from tests.trainables.conftest import CPU, MakeConfig, Train
from trainables.trial_folder import Row, TrialFolder, as_json_line

VARIANTS: dict[str, dict[str, Any]] = {
    "adamw": {},
    "sgd": {"optim.kind": "sgd"},
    "average": {"training.ema_decay": 0.8},
    "clip": {"training.clip_norm": 0.05},
    "accumulate": {"training.accumulate": 2},
    "batch-norm": {"model.norm": "batch"},
    "supcon": {"objective.kind": "supcon"},
    "triplet-average": {
        "objective.kind": "triplet",
        "objective.classifier.kind": "nearest_centroid",
        "objective.fit_every_epochs": 2,
        "model.norm": "batch",
        "training.ema_decay": 0.8,
    },
    "supcon-neighbours": {
        "objective.kind": "supcon",
        "objective.classifier.kind": "nearest_neighbours",
        "objective.fit_every_epochs": 1,
        "objective.fit_sample": 40,
    },
    "best": {
        "training.keep": "best",
        "training.keep_metric": "val/loss",
        "training.early_stopping": {"metric": "val/accuracy", "patience": 2},
        "optim.learning_rate": 0.2,
    },
    "fine-tuning": {
        "model.norm": "batch",
        "training.freeze": {"stages": 3, "epochs": 1},
        "training.sampling": "group_balanced",
        "objective.group_dro": {"step_size": 0.5},
        "training.gradient_checkpointing": True,
        "training.ema_decay": 0.8,
        "optim.layer_decay": 0.7,
        "optim.head_multiplier": 5,
        "objective.kind": "contrastive",
        "objective.label_smoothing": 0.1,
        "objective.class_weights": "balanced",
    },
    "last-layer": {
        "objective.dfr": {"fit_on": "object_only", "num_subsets": 2},
        "training.ema_decay": 0.8,
        "training.keep": "best",
        "training.keep_metric": "val/accuracy",
    },
    "supcon-frozen": {"objective.kind": "supcon", "training.freeze.epochs": 2, "optim.head_multiplier": 2},
    "rivals": {
        "objective.kind": "contrastive",
        "objective.background_weight_warmup": 2,
        "objective.guidance.weight": 0.5,
        "objective.rrr.weight": 0.5,
        "model.norm": "batch",
    },
    "all": {
        "objective.kind": "contrastive",
        "model.norm": "batch",
        "optim.kind": "sgd",
        "training.ema_decay": 0.8,
        "training.clip_norm": 0.05,
        "training.accumulate": 2,
        "training.channels_last": True,
        "objective.background_swap.probability": 0.5,
        "objective.object_only.probability": 0.3,
    },
}


def stop_after(epoch: int) -> Callable[[Row], None]:
    def on_report(row: Row) -> None:
        if row["epoch"] == epoch:
            raise SystemExit

    return on_report


def without_times(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("time/")}


def state_of(folder: TrialFolder) -> dict[str, Any]:
    state = folder.load_state(CPU)
    assert state is not None
    return {**state, "row": without_times(state["row"]), "rows": list(map(without_times, state["rows"]))}


def best_of(folder: TrialFolder) -> dict[str, Any]:
    """Return what best.pt holds; nothing where the last epoch is kept."""
    rows = folder.rows()
    if "kept_epoch" not in rows[-1]:
        return {}
    state = folder.checkpoints.load_best(int(rows[-1]["kept_epoch"]), CPU)
    return {**state, "row": without_times(state["row"])}


def assert_same_trial(found: TrialFolder, expected: TrialFolder) -> None:
    torch.testing.assert_close(state_of(found), state_of(expected), rtol=0, atol=0)
    assert list(map(without_times, found.rows())) == list(map(without_times, expected.rows()))
    assert found.evaluation() == expected.evaluation()
    torch.testing.assert_close(best_of(found), best_of(expected), rtol=0, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_stopped_trial_goes_on_as_if_it_had_not(make_config: MakeConfig, train: Train, variant: str) -> None:
    config = make_config(VARIANTS[variant])
    straight = train(config, "straight")
    for epoch in range(1, len(straight.rows()) + 1):
        with pytest.raises(SystemExit):
            train(config, "stopped", on_report=stop_after(epoch))
        torch.rand(3)  # The state of the global generator has no effect.
    assert_same_trial(train(config, "stopped"), straight)


def drop_last_row(folder: TrialFolder) -> None:
    folder.metrics_path.write_text("".join(map(as_json_line, folder.rows()[:-1])))


def tear_last_row(folder: TrialFolder) -> None:
    folder.metrics_path.write_text(folder.metrics_path.read_text()[:-20])


def add_uncommitted_row(folder: TrialFolder) -> None:
    with folder.metrics_path.open("a") as file:
        file.write(as_json_line({"epoch": 3, "train/loss": 0.5}))


def add_torn_uncommitted_row(folder: TrialFolder) -> None:
    with folder.metrics_path.open("a") as file:
        file.write('{"epoch": 3, "train/lo')


def empty_rows(folder: TrialFolder) -> None:
    folder.metrics_path.write_text("")


def drop_first_row(folder: TrialFolder) -> None:
    folder.metrics_path.write_text(as_json_line(folder.rows()[-1]))


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_bit_of_checkpoint(folder: TrialFolder) -> None:
    flip_bit(folder.state_path)


def stop_between_renames(folder: TrialFolder) -> None:
    folder.state_path.replace(folder.checkpoints.previous_path)


DAMAGES = [
    drop_last_row,
    tear_last_row,
    add_uncommitted_row,
    add_torn_uncommitted_row,
    empty_rows,
    drop_first_row,
    flip_bit_of_checkpoint,
    stop_between_renames,
]


def leave_partial_checkpoint(folder: TrialFolder) -> None:
    folder.state_path.with_suffix(".partial").write_bytes(folder.state_path.read_bytes()[:100])


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.fault("A kill around a commit, with a bad checkpoint or rows that are lost.")
def test_a_kill_around_a_commit_leaves_every_epoch_once(
    make_config: MakeConfig, train: Train, damage: Callable[[TrialFolder], None], count_epochs: CountEpochs
) -> None:
    config = make_config()
    straight = train(config, "straight")
    with pytest.raises(SystemExit):
        train(config, "killed", on_report=stop_after(2))
    folder = TrialFolder(straight.path.with_name("killed"))
    damage(folder)
    if folder.state_path.exists():
        leave_partial_checkpoint(folder)
    assert_same_trial(train(config, "killed"), straight)
    count_epochs(epochs_in_files([folder]), config.training.epochs)


@pytest.mark.parametrize("damage", [drop_last_row, tear_last_row])
def test_a_kill_around_the_last_commit_needs_no_more_training(
    make_config: MakeConfig, train: Train, damage: Callable[[TrialFolder], None]
) -> None:
    config = make_config()
    straight = train(config, "straight")
    with pytest.raises(SystemExit):
        train(config, "killed", on_report=stop_after(3))
    folder = TrialFolder(straight.path.with_name("killed"))
    damage(folder)
    checkpoint = folder.state_path.stat().st_mtime_ns
    assert_same_trial(train(config, "killed"), straight)
    assert folder.state_path.stat().st_mtime_ns == checkpoint


@pytest.mark.fault("One bit of the last checkpoint of an ended trial flips.")
def test_an_ended_trial_with_a_flipped_bit_trains_its_last_epoch_again(
    make_config: MakeConfig, train: Train, caplog: pytest.LogCaptureFixture, count_epochs: CountEpochs
) -> None:
    config = make_config()
    straight, folder = train(config, "straight"), train(config, "ended")
    folder.finish()
    flip_bit_of_checkpoint(folder)
    assert_same_trial(train(config, "ended"), straight)
    count_epochs(epochs_in_files([folder]), config.training.epochs)
    assert folder.outcome() is None
    assert folder.checkpoints.bad_path.exists()
    (message,) = caplog.messages
    assert message.endswith("; it is now state.pt.bad: training continues from epoch 2, in previous.pt")


@pytest.mark.fault("The disk is full when an epoch is committed.")
def test_a_full_disk_costs_no_epoch(
    make_config: MakeConfig, train: Train, count_epochs: CountEpochs, note_message: NoteMessage
) -> None:
    config = make_config()
    straight = train(config, "straight")
    with pytest.raises(SystemExit):
        train(config, "full", on_report=stop_after(1))
    with file_size_limit(4096), pytest.raises(OSError, match=r"large: '.*/full/checkpoint/state\.pt'$") as caught:
        train(config, "full")
    note_message([str(caught.value)])
    full = train(config, "full")
    assert_same_trial(full, straight)
    count_epochs(epochs_in_files([full]), config.training.epochs)


def test_a_trial_without_a_checkpoint_starts_afresh(make_config: MakeConfig, train: Train) -> None:
    config = make_config()
    straight = train(config, "straight")
    folder = TrialFolder(straight.path.with_name("killed"))
    folder.claim(config)
    folder.metrics_path.write_text(as_json_line({"epoch": 1, "train/loss": 9.0}) + '{"ep')
    assert_same_trial(train(config, "killed"), straight)


def test_another_seed_is_another_trial(make_config: MakeConfig, train: Train) -> None:
    """The comparison of this file does fail for trials that differ."""
    with pytest.raises(AssertionError):
        assert_same_trial(train(make_config({"seed": 1}), "one"), train(make_config({"seed": 2}), "other"))
