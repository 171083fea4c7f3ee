"""Stop signals to real commands: one line, no run left running, the exit code of a shell, and nothing lost."""

import signal
import subprocess

import pytest

from orchestrator.tracking import connect
from tests.harness.fault_message import note_message
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


def in_mlflow(shell: Shell, name: str) -> tuple[str, list[int]]:
    """Return the state of the only run of that name, and the steps that it has."""
    client = connect(shell.store)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"tags.`campaign.sweep` = '{name}'")
    history = client.get_metric_history(run.info.run_id, "train/loss")
    return run.info.status, sorted(metric.step for metric in history)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.fault("SIGTERM or SIGHUP to `campaign train`.")
def test_training_is_stopped_and_every_epoch_is_in_mlflow(
    number: signal.Signals, shell: Shell, request: pytest.FixtureRequest
) -> None:
    name = number.name.lower()
    process = start_training(shell, name)
    process.send_signal(number)
    ran = wait(process)
    note_message(request.node, ran.err.splitlines())
    assert ran.code == 128 + number
    assert_one_line(ran, name)
    steps = [int(row["epoch"]) for row in folder_of(shell, name).rows()]
    assert in_mlflow(shell, name) == ("KILLED", steps)
