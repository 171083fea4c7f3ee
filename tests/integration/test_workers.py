"""Two Ray Train workers: one config, and a promoted trial."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.tracking import connect
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.fault_message import NoteMessage
from tests.integration.conftest import Ran, Shell, kill_a_worker, wait
from trainables.training import LocalContext
from trainables.trial import run_trial
from trainables.trial_folder import TrialFolder

Promoted = Any  # the fixtures' classes live in conftest.py, which tests cannot import
Story = Any

pytestmark = [pytest.mark.ray, pytest.mark.slow]
EPOCHS = 20
CPU = torch.device("cpu")
PAIR = (
    "--set=data.num_train=128",
    "--set=data.num_test=32",
    "--set=model.width=4",
    "--set=model.norm=group",  # One that does not see which images a worker has.
    "--set=optim.kind=sgd",  # AdamW makes much of the last digits of a gradient.
    f"--set=training.epochs={EPOCHS}",
)


def training(name: str) -> tuple[str, ...]:
    return ("train", "digits", f"--name={name}", "--json", "--set=resources.workers=2", *PAIR)


def assert_whole(ran: Ran, shell: Shell, folder: TrialFolder, count_epochs: CountEpochs, alone: TrialFolder) -> None:
    """Check that the run has ended, that files and MLflow have each epoch once, and that its numbers are right."""
    assert ran.code == 0, ran.err
    assert ran.document["folder"] == str(folder.path)
    assert ran.document["metrics"]["epoch"] == EPOCHS
    assert connect(shell.store).get_run(ran.document["run_id"]).info.status == "FINISHED"
    count_epochs(epochs_in_files([folder]), EPOCHS)
    count_epochs(epochs_in_mlflow(shell.store, folder.path.name, "val/accuracy"), EPOCHS)
    assert_trained_as_one_process_does(folder, alone)


@pytest.mark.chaos
@pytest.mark.fault("A worker of `campaign train` is killed.", says=False)
def test_training_goes_on_when_a_worker_is_killed(shell: Shell, count_epochs: CountEpochs, tmp_path: Path) -> None:
    folder = TrialFolder(shell.storage / "runs" / "pair")
    driver = shell.start(*training("pair"))
    kill_a_worker(driver, folder)
    assert_whole(wait(driver), shell, folder, count_epochs, TrialFolder(tmp_path))


@pytest.mark.chaos
@pytest.mark.fault("A worker of `campaign train` is killed, and one of those that follow.")
def test_second_killed_worker_ends_training_and_the_same_command_continues(
    shell: Shell, note_message: NoteMessage, count_epochs: CountEpochs, tmp_path: Path
) -> None:
    folder = TrialFolder(shell.storage / "runs" / "twice")
    driver = shell.start(*training("twice"))
    for _ in range(2):
        kill_a_worker(driver, folder)
    killed = wait(driver)
    note_message(killed.err.splitlines())
    assert (killed.code, killed.out) == (1, "")
    assert "Traceback" not in killed.err
    last, num_epochs = killed.err.splitlines()[-1], len(folder.rows())
    assert re.fullmatch(f"error: worker . died: .*; the same command continues after epoch {num_epochs}", last), last
    assert_whole(shell.run(*training("twice")), shell, folder, count_epochs, TrialFolder(tmp_path))


def assert_trained_as_one_process_does(found: TrialFolder, alone: TrialFolder) -> None:
    """Train the same config in this process, without a stop, and compare weights and losses."""
    alone.claim(found.config())
    run_trial(found.config(), LocalContext(alone, device=CPU))
    weights = [state["model"] for state in (found.load_state(CPU), alone.load_state(CPU)) if state is not None]
    torch.testing.assert_close(*weights, rtol=0, atol=1e-5)
    for name in ("train/loss", "val/loss"):
        losses = [row[name] for row in found.rows()]
        assert losses == pytest.approx([row[name] for row in alone.rows()], rel=1e-4)


@pytest.mark.spine
def test_promoted_trial_keeps_its_id_and_says_where_it_comes_from(story: Story, promoted: Promoted) -> None:
    assert promoted.ran.code == 0, promoted.ran.err
    (best,) = story.finished.document["best"]
    (trial,) = promoted.ran.document["trials"]
    assert (trial["trial_id"], trial["status"], trial["epoch"]) == (best["trial_id"], "completed", 2)
    tags = connect(story.shell.store).get_run(trial["run_id"]).data.tags
    expected = {
        "campaign.promoted_from": best["run_id"],
        "campaign.scale": "pair.yaml",
        "campaign.sweep": "story-pair",
        "mlflow.parentRunId": promoted.ran.document["parent_run_id"],
    }
    assert expected.items() <= tags.items()
    source = connect(story.shell.store).get_run(best["run_id"])
    assert source.data.tags["campaign.promoted_to.story-pair"] == trial["run_id"]


@pytest.mark.spine
def test_promotion_changes_what_it_printed_and_nothing_else(story: Story, promoted: Promoted) -> None:
    (best,) = story.finished.document["best"]
    (trial,) = promoted.ran.document["trials"]
    changed = {
        field: (best["config"][field], value)
        for field, value in trial["config"].items()
        if best["config"][field] != value
    }
    assert changed == {"training.epochs": (4, 2), "resources.workers": (0, 2)}
    for field, (before, after) in changed.items():
        assert f"{best['trial_id']}  {field}: {before} -> {after}" in promoted.ran.err
