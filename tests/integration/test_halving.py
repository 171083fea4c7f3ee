"""A space from the user's own file, a trial that fails, and one that ASHA stops."""

import json
from typing import Any

import pytest

from orchestrator.tracking import connect
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.fault_message import NoteMessage

Halving = Any  # the fixtures' classes live in conftest.py, which tests cannot import
Shell = Any
Cli = Any

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def trials(halving: Halving) -> dict[str, dict[str, Any]]:
    return {trial["trial_id"]: trial for trial in halving.ran.document["trials"]}


def test_each_trial_ends_as_it_should(trials: dict[str, dict[str, Any]]) -> None:
    assert {trial_id: (trial["status"], trial["epoch"]) for trial_id, trial in trials.items()} == {
        "0000": ("completed", 4),
        "0001": ("failed", 0),
        "0002": ("stopped", 2),
    }


def test_only_a_completed_trial_is_best(halving: Halving) -> None:
    assert [trial["trial_id"] for trial in halving.ran.document["best"]] == ["0000"]


def test_failed_trial_makes_the_exit_code(halving: Halving) -> None:
    assert halving.ran.code == 1
    assert "1 trial failed; try again with: campaign resume halving --retry-failed" in halving.ran.err


def test_outcome_says_why(halving: Halving) -> None:
    outcome = halving.folder.trial("0001").outcome()
    assert outcome.status == "failed"
    assert outcome.error.startswith("FloatingPointError: the training loss of epoch 1 is ")
    assert "lower optim.learning_rate" in outcome.error


@pytest.mark.fault("The loss of a trial is not finite.", trains=False)
def test_error_that_would_come_again_is_not_tried_again_and_shown_in_one_line(
    halving: Halving, note_message: NoteMessage
) -> None:
    log = halving.folder.trial("0001").log_path
    (line,) = [line for line in halving.ran.err.splitlines() if "FloatingPointError" in line]
    note_message([line])
    assert "failed: FloatingPointError: the training loss of epoch 1 is " in line
    assert "Traceback" not in halving.ran.err
    assert log.read_text().count("Traceback (most recent call last):") == 1
    assert f"(see {log})" in halving.ran.err


@pytest.mark.fault("The process of a trial hangs.")
def test_trial_that_hangs_is_ended_and_goes_on_from_its_last_epoch(
    halving: Halving, shell: Shell, note_message: NoteMessage, count_epochs: CountEpochs
) -> None:
    note_message([line for line in halving.ran.err.splitlines() if "is retried" in line])
    assert "trial 0000 failed and is retried: no report for 25s (--trial-timeout)" in halving.ran.err
    count_epochs(epochs_in_files([halving.folder.trial("0000")]), 4)
    count_epochs({"0000": epochs_in_mlflow(shell.store, "halving")["0000"]}, 4)


def test_mlflow_says_the_same(shell: Shell, trials: dict[str, dict[str, Any]]) -> None:
    client = connect(shell.store)
    runs = {trial_id: client.get_run(trial["run_id"]) for trial_id, trial in trials.items()}
    assert [runs[trial_id].info.status for trial_id in trials] == ["FINISHED", "FAILED", "FINISHED"]
    assert [run.data.tags["campaign.stopped_early"] for run in runs.values()] == ["false", "false", "true"]
    assert "FloatingPointError" in runs["0001"].data.tags["campaign.error"]


def test_space_file_is_kept_by_its_full_path(halving: Halving, shell: Shell) -> None:
    assert halving.folder.config().space == str(shell.storage / "halving.py")


def test_status_names_each_end(halving: Halving, shell: Shell, cli: Cli) -> None:
    assert halving.ran.code == 1
    ran = cli("status", "halving", "--storage", shell.storage, "--json")
    assert json.loads(ran.out)["trials"] == {"completed": 1, "failed": 1, "stopped": 1}


def test_stopped_trial_has_a_network_to_explain_and_no_evaluation(halving: Halving) -> None:
    folder = halving.folder.trial("0002")
    assert folder.state_path.exists()
    assert folder.evaluation() is None


def test_search_ended_early_and_says_so(halving: Halving) -> None:
    ended = "no improvement for 1: trial 0000 was the last to improve"
    assert (halving.ran.document["ended"], halving.folder.config().num_trials) == (ended, 4)
    assert f"ended early by {ended}; add trials with: campaign extend halving --trials N" in halving.ran.err
