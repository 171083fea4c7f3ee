"""Each sampler on a real Ray: a search that was killed, resumed and extended has the trials of one that never was."""

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from orchestrator.files.sweep_folder import SweepFolder
from search_spaces import SamplerName
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.integration.conftest import Ran, Shell, epochs, rows, wait, wait_until
from trainables.config import flatten

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(1200)]

EPOCHS = 2
NUM_TRIALS, NUM_BEFORE = 12, 10
KILLED_IN = "0008"
"""The first trial whose point may depend on results: eight are drawn at random."""
SMALLEST = (
    "--concurrent=1",  # Points depend on which trials have ended.
    "--set=data.num_train=64",
    "--set=data.num_test=32",
    "--set=data.image_size=32",
    "--set=model.width=4",
    "--set=evaluation.panel_images=0",
    f"--set=training.epochs={EPOCHS}",
)
RANGES = {
    "optim.learning_rate": {"type": "float", "low": 0.0001, "high": 0.1, "log": True},
    "optim.weight_decay": {"type": "float", "low": 0.0, "high": 0.5},
    "model.head_bias": {"type": "categorical", "choices": [True, False]},
}
COMBINATIONS = {
    "optim.learning_rate": {"type": "categorical", "choices": [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1]},
    "model.head_bias": {"type": "categorical", "choices": [True, False]},
}


def space_of(sampler: SamplerName) -> dict[str, Any]:
    """Return a space that the sampler can search: a grid of twelve points, and for NSGA-III two goals."""
    goals = {"val/accuracy": "max"} | ({"val/loss": "min"} if sampler == "nsga3" else {})
    parameters = COMBINATIONS if sampler == "grid" else RANGES
    return {"base": "digits", "goals": goals, "sampler": sampler, "num_trials": NUM_TRIALS, "parameters": parameters}


def succeed(ran: Ran) -> None:
    assert ran.code == 0, ran.err


def points(sweep: SweepFolder) -> dict[str, dict[str, Any]]:
    """Return the values of the searched fields by trial id."""
    configs = {trial_id: flatten(sweep.trial(trial_id).config()) for trial_id in sweep.trial_ids()}
    return {trial_id: {field: config[field] for field in RANGES} for trial_id, config in configs.items()}


def kill_in_the_middle(shell: Shell, sweep: SweepFolder, *command: str) -> None:
    """Start the command and kill its driver as soon as a trial in the middle has an epoch."""
    driver = shell.start(*command)
    wait_until(lambda: bool(epochs(sweep).get(KILLED_IN)), driver)
    driver.kill()
    wait(driver)
    assert len(sweep.trial_ids()) < NUM_BEFORE


@pytest.mark.parametrize("sampler", get_args(SamplerName))
@pytest.mark.fault("SIGKILL of the driver of a search, by each sampler; it is resumed and extended.", says=False)
def test_search_that_was_killed_and_extended_has_the_trials_of_one_that_was_not(
    sampler: SamplerName, tmp_path: Path, count_epochs: CountEpochs
) -> None:
    shell, straight, cut = Shell(tmp_path), *(SweepFolder.of(tmp_path, name) for name in ("straight", "cut"))
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space_of(sampler)), encoding="utf-8")
    succeed(shell.run("sweep", "space.yaml", "--name=straight", *SMALLEST))

    kill_in_the_middle(shell, cut, "sweep", "space.yaml", "--name=cut", f"--trials={NUM_BEFORE}", *SMALLEST)
    succeed(shell.run("resume", "cut"))
    assert cut.trial_ids() == straight.trial_ids()[:NUM_BEFORE]
    succeed(shell.run("extend", "cut", f"--trials={NUM_TRIALS - NUM_BEFORE}"))

    assert len(cut.trial_ids()) == NUM_TRIALS
    assert points(cut) == points(straight)
    assert rows(cut) == rows(straight)
    count_epochs(epochs_in_files(map(cut.trial, cut.trial_ids())), EPOCHS)
    count_epochs(epochs_in_mlflow(shell.store, "cut"), EPOCHS)
