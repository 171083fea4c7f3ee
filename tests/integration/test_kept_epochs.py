"""A trial that keeps its best epoch and stops early, killed on a real Ray, ends as one that was left alone."""

from pathlib import Path

import pytest
import torch

from orchestrator.files.sweep_folder import SweepFolder
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.integration.conftest import Ran, Shell, kill_a_worker, rows, wait, wait_until, without_times
from trainables.trial_folder import TrialFolder

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(1200)]

CPU = torch.device("cpu")
EPOCHS, PATIENCE = 30, 4
CHOICE = (
    "--set=data.num_train=256",
    "--set=data.num_test=64",
    "--set=data.image_size=32",
    "--set=model.width=4",
    "--set=evaluation.panel_images=0",
    f"--set=training.epochs={EPOCHS}",
    "--set=training.keep=best",
    "--set=training.keep_metric=val/accuracy",
    f"--set=training.early_stopping={{metric: val/accuracy, patience: {PATIENCE}}}",
)


def succeed(ran: Ran) -> None:
    assert ran.code == 0, ran.err


def last_epoch(folder: TrialFolder) -> int:
    """Return the last epoch of a trial that stopped early and keeps an epoch before it, as the test needs it."""
    outcome = folder.outcome()
    assert outcome is not None
    assert outcome.kept_epoch is not None
    assert outcome.kept_epoch < outcome.epoch < EPOCHS
    return outcome.epoch


def assert_same_choice(found: TrialFolder, expected: TrialFolder) -> None:
    """Check that two trials have the same rows, kept epoch, network of that epoch and evaluation."""
    assert list(map(without_times, found.rows())) == list(map(without_times, expected.rows()))
    assert found.outcome() == expected.outcome()
    assert found.evaluation() == expected.evaluation()
    kept = expected.outcome()
    assert kept is not None
    assert kept.kept_epoch is not None
    ours, theirs = (folder.checkpoints.load_best(kept.kept_epoch, CPU)["evaluated"] for folder in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.fault("SIGKILL of the driver of a sweep that keeps the best epochs and stops early.", says=False)
def test_killed_sweep_keeps_the_epochs_of_one_that_was_not(tmp_path: Path, count_epochs: CountEpochs) -> None:
    shell, straight, cut = Shell(tmp_path), *(SweepFolder.of(tmp_path, name) for name in ("straight", "cut"))
    command = ("sweep", "digits-background-weight", "--trials=2", "--concurrent=1", *CHOICE)
    succeed(shell.run(*command, "--name=straight"))
    last = last_epoch(straight.trial("0000"))

    driver = shell.start(*command, "--name=cut")
    wait_until(lambda: len(cut.trial("0000").rows()) >= last - PATIENCE // 2, driver)
    driver.kill()
    wait(driver)
    assert cut.unfinished() == ["0000"]
    succeed(shell.run("resume", "cut"))

    assert rows(cut) == rows(straight)
    for trial_id in straight.trial_ids():
        assert_same_choice(cut.trial(trial_id), straight.trial(trial_id))
        count_epochs(epochs_in_files([cut.trial(trial_id)]), last_epoch(straight.trial(trial_id)))
        in_mlflow = epochs_in_mlflow(shell.store, "cut")
        count_epochs({trial_id: in_mlflow[trial_id]}, last_epoch(straight.trial(trial_id)))


@pytest.mark.fault(
    "SIGKILL of a worker and of the driver of a run that keeps its best epoch and stops early.", says=False
)
def test_killed_workers_keep_the_epoch_of_a_run_that_was_left_alone(tmp_path: Path, count_epochs: CountEpochs) -> None:
    shell = Shell(tmp_path)
    command = ("train", "digits", "--set=resources.workers=2", *CHOICE)
    straight, cut = (TrialFolder(tmp_path / "runs" / name) for name in ("straight", "cut"))
    succeed(shell.run(*command, "--name=straight"))
    last = last_epoch(straight)

    driver = shell.start(*command, "--name=cut")
    kill_a_worker(driver, cut)
    wait_until(lambda: len(cut.rows()) >= last - PATIENCE // 2, driver)
    driver.kill()
    wait(driver)
    assert len(cut.rows()) < last
    succeed(shell.run(*command, "--name=cut"))

    assert_same_choice(cut, straight)
    count_epochs(epochs_in_files([cut]), last)
    count_epochs(epochs_in_mlflow(shell.store, "cut"), last)
