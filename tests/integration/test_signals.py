"""Stop signals to real commands: one line, no run left running, the exit code of a shell, and nothing lost."""

import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.tracking import connect
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.fault_message import NoteMessage
from tests.integration.conftest import Ran, Shell, wait, wait_until
from trainables.trial_folder import TrialFolder

SMALL = ("--set=data.num_train=64", "--set=data.num_test=16", "--set=model.width=4", "--set=evaluation.panel_images=0")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("stopped"))


def start_training(shell: Shell, name: str, *options: str) -> "subprocess.Popen[str]":
    """Start a training without an end to wait for, and return once it has three epochs."""
    arguments = ("train", "digits", f"--name={name}", "--set=training.epochs=100000", *SMALL, *options)
    process = shell.start(*arguments)
    wait_until(lambda: len(folder_of(shell, name).rows()) >= 3, process)
    return process


def folder_of(shell: Shell, name: str) -> TrialFolder:
    return TrialFolder(shell.storage / "runs" / name)


def assert_one_line(ran: Ran, name: str) -> None:
    """Check that the command says how to go on, and nothing of its insides."""
    assert "Traceback" not in ran.err
    assert ran.err.splitlines()[-1].startswith(f"interrupted; continue with: campaign train digits --name={name} ")
    assert len([line for line in ran.err.splitlines() if not line.startswith((name, "    "))]) == 2


def state_in_mlflow(shell: Shell, name: str) -> str:
    """Return the state of the only run of that name."""
    client = connect(shell.store)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"tags.`campaign.sweep` = '{name}'")
    return str(run.info.status)


@pytest.mark.slow
@pytest.mark.fault("SIGTERM to `campaign evaluate`.", trains=False)
def test_evaluation_is_stopped_and_what_is_finished_stays(
    shell: Shell, cli: Callable[..., Any], note_message: NoteMessage
) -> None:
    options = ("one", "--storage", str(shell.storage))
    settings = (*SMALL, "--set=training.epochs=1", "--set=data.num_test=256")
    assert cli("train", "digits", "--name=one", *options[1:], *settings).code == 0
    folder = folder_of(shell, "one")
    before = folder.evaluation_path.read_bytes()
    process = shell.start("evaluate", *options, "--suite=accuracy,attribution")  # The second takes long.
    wait_until((folder.evaluations_path / "accuracy.json").exists, process)
    process.send_signal(signal.SIGTERM)
    ran = wait(process)
    note_message(ran.err.splitlines())
    assert (ran.code, ran.out) == (143, "")
    assert "Traceback" not in ran.err
    assert ran.err.splitlines()[-1].startswith("interrupted; continue with: campaign evaluate one ")
    assert folder.evaluation_path.read_bytes() == before
    again = cli("evaluate", *options, "--suite=accuracy")
    assert again.code == 0
    assert again.err.splitlines()[-1].endswith("finished before")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.chaos)])
@pytest.mark.fault("SIGTERM or SIGHUP to `campaign train`.")
def test_training_is_stopped_and_every_epoch_is_in_mlflow(
    number: signal.Signals, shell: Shell, note_message: NoteMessage, count_epochs: CountEpochs
) -> None:
    name = number.name.lower()
    process = start_training(shell, name)
    process.send_signal(number)
    ran = wait(process)
    note_message(ran.err.splitlines())
    assert ran.code == 128 + number
    assert_one_line(ran, name)
    assert state_in_mlflow(shell, name) == "KILLED"
    num_epochs = len(folder_of(shell, name).rows())
    count_epochs(epochs_in_files([folder_of(shell, name)]), num_epochs)
    count_epochs(epochs_in_mlflow(shell.store, name), num_epochs)
