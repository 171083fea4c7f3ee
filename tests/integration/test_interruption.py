"""Ctrl-C and a killed driver: no trial is lost, none is doubled."""

import json
from typing import Any

import pytest

from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.fault_message import NoteMessage
from tests.integration.conftest import TINY
from trainables.config import config_hash

Story = Any  # the fixtures' classes live in conftest.py, which tests cannot import
Cli = Any

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.spine]
EPOCHS = 4


@pytest.mark.fault("Ctrl-C to a sweep.")
def test_ctrl_c_ends_the_sweep_with_its_exit_code_and_says_how_to_go_on(
    story: Story, note_message: NoteMessage, count_epochs: CountEpochs
) -> None:
    note_message(story.interrupted.err.splitlines())
    count_epochs(epochs_in_files(map(story.folder.trial, story.ids_at_interrupt)), EPOCHS)
    assert story.interrupted.code == 130
    assert 0 < sum(story.epochs_at_interrupt.values()) < 3 * EPOCHS
    assert story.interrupted.err.endswith("interrupted; continue with: campaign resume story\n")
    assert "Traceback" not in story.interrupted.err


def test_no_run_is_left_running_after_ctrl_c(story: Story) -> None:
    assert "KILLED" in story.states_at_interrupt
    assert "RUNNING" not in story.states_at_interrupt


def test_resume_ends_the_trials_that_had_started(story: Story) -> None:
    assert story.resumed.code == 0, story.resumed.err
    trials = story.resumed.document["trials"]
    ids = [trial["trial_id"] for trial in trials]
    assert set(story.ids_at_interrupt) <= set(ids)
    assert len(ids) == 3
    assert {(trial["status"], trial["epoch"]) for trial in trials} == {("completed", EPOCHS)}


@pytest.mark.fault("The last checkpoint of a trial is cut short between Ctrl-C and `campaign resume`.")
def test_trial_with_a_bad_checkpoint_goes_on_from_the_one_before(
    story: Story, note_message: NoteMessage, count_epochs: CountEpochs
) -> None:
    trial, num_epochs = story.folder.trial(story.damaged), story.epochs_at_interrupt[story.damaged]
    (line,) = [line for line in story.resumed.err.splitlines() if "state.pt.bad" in line]
    note_message([line])
    assert line.endswith(f"it is now state.pt.bad: training continues from epoch {num_epochs - 1}, in previous.pt")
    assert trial.checkpoints.bad_path.exists()
    count_epochs(epochs_in_files([trial]), EPOCHS)


def test_same_command_again_launches_nothing(story: Story, cli: Cli) -> None:
    command = ("sweep", "digits-background-weight", "--name=story", "--trials=4", "--json", *TINY)
    again = cli(*command, "--storage", story.shell.storage)
    assert again.code == 0, again.err
    assert "epoch" not in again.err
    assert json.loads(again.out) == story.finished.document


def test_resume_right_after_a_kill_ends_the_trials_that_had_started(story: Story) -> None:
    assert sum(story.epochs_at_kill.values()) < 4 * EPOCHS
    assert story.finished.code == 0, story.finished.err
    trials = story.finished.document["trials"]
    ids = [trial["trial_id"] for trial in trials]
    assert set(story.ids_at_kill) <= set(ids)
    assert len(ids) == 4
    assert {(trial["status"], trial["epoch"]) for trial in trials} == {("completed", EPOCHS)}


def test_ray_dies_with_its_driver(story: Story) -> None:
    assert story.outlived_driver == []


def test_finished_trials_are_left_alone(story: Story) -> None:
    before = {trial["trial_id"]: trial for trial in story.resumed.document["trials"]}
    after = {trial["trial_id"]: trial for trial in story.finished.document["trials"]}
    assert {trial_id: after[trial_id] for trial_id in before} == before


@pytest.mark.fault("Ctrl-C to a sweep, then SIGKILL to its driver.", says=False)
def test_every_epoch_stands_once_in_the_files_and_in_mlflow(story: Story, count_epochs: CountEpochs) -> None:
    assert len(story.folder.trial_ids()) == 4
    count_epochs(epochs_in_files(map(story.folder.trial, story.folder.trial_ids())), EPOCHS)
    in_mlflow = epochs_in_mlflow(story.shell.store, "story")
    assert sorted(in_mlflow) == story.folder.trial_ids()
    count_epochs(in_mlflow, EPOCHS)


def test_no_point_is_tried_twice(story: Story) -> None:
    configs = [story.folder.trial(trial_id).config() for trial_id in story.folder.trial_ids()]
    assert len({config_hash(config) for config in configs}) == len(configs) == 4
    assert [config.objective.kind for config in configs[:2]] == ["cross_entropy", "contrastive"]
