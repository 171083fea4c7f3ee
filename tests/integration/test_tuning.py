"""A study that chooses its settings, by the real command line: stopped among the candidates, then run to its end."""

import json
import signal
import time
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.files.sweep_folder import SweepFolder
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.fault_message import NoteMessage
from trainables.split_log import split_log
from trainables.trial_folder import TrialFolder

Shell = Any  # the fixtures' classes live in conftest.py, which tests cannot import

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.chaos]
EPOCHS = 2
CANDIDATES = ["penalty.1-s7", "penalty.2-s7", "plain.1-s7", "plain.2-s7"]
SOUND = ["penalty.1-s7", "plain.2-s7"]
"""The candidates that do not break down."""
STUDY = f"""
name: tuned
summary: Does it help?
base: digits
set:
  data.num_train: 64
  data.num_test: 32
  model.width: 4
  training.epochs: {EPOCHS}
  evaluation.panel_images: 1
  evaluation.suite.sample: 16
arms:
  plain: {{}}
  penalty: {{objective.kind: contrastive}}
tuning:
  metric: val/loss
  seed: 7
  settings:
    plain: [{{optim.learning_rate: 1.0e+30}}, {{optim.learning_rate: 0.01}}]
    penalty: [{{optim.learning_rate: 0.01}}, {{optim.learning_rate: 1.0e+30}}]
seeds: [0]
metrics: [test/accuracy]
"""


@pytest.fixture(scope="module")
def story(shell: Shell) -> Any:
    (shell.storage / "tuned.yaml").write_text(STUDY, encoding="utf-8")
    command = ("study", "tuned.yaml", "--name=tuned", "--concurrent=1", "--json")
    folder = SweepFolder.of(shell.storage, "tuned-tuning")
    driver = shell.start(*command)
    while not any(folder.trial(trial_id).rows() for trial_id in folder.trial_ids()):
        if driver.poll() is not None:
            pytest.fail(f"the study ended too early\n{driver.communicate()}")
        time.sleep(0.02)
    driver.send_signal(signal.SIGTERM)
    _, err = driver.communicate(timeout=240)
    return SimpleNamespace(code=driver.returncode, err=err, shell=shell, candidates=folder, ran=shell.run(*command))


@pytest.mark.fault("SIGTERM to a study among its candidates.")
def test_stopped_among_the_candidates_it_names_its_own_command(
    story: Any, note_message: NoteMessage, count_epochs: CountEpochs
) -> None:
    note_message(story.err.splitlines())
    count_epochs(epochs_in_files(map(story.candidates.trial, SOUND)), EPOCHS)
    in_mlflow = epochs_in_mlflow(story.shell.store, "tuned-tuning")
    count_epochs({trial_id: in_mlflow[trial_id] for trial_id in SOUND}, EPOCHS)
    assert story.code == 143
    assert "continue with: campaign study tuned.yaml --name=tuned" in story.err


def test_arms_have_the_best_candidate_and_the_failed_one_is_none(story: Any) -> None:
    assert story.ran.code == 0, story.ran.err
    arms = SweepFolder.of(story.shell.storage, "tuned").config().study.arms
    assert {arm: overrides["optim.learning_rate"] for arm, overrides in arms.items()} == {
        "plain": 0.01,
        "penalty": 0.01,
    }
    assert "2 trials failed; try again with: campaign resume tuned-tuning --retry-failed" in story.ran.err
    assert "arm plain takes settings 2 of 2" in story.ran.err
    assert "penalty takes number 1 of" in story.ran.document["study"]["tuning"]


def test_candidates_never_read_a_test_image_and_chosen_trials_do(story: Any) -> None:
    assert story.candidates.trial_ids() == CANDIDATES
    assert set().union(*map(splits, map(story.candidates.trial, CANDIDATES))) == {"val"}
    chosen = SweepFolder.of(story.shell.storage, "tuned")
    assert all(splits(chosen.trial(trial_id)) == {"val", "test"} for trial_id in ("plain-s0", "penalty-s0"))


def splits(trial: TrialFolder) -> set[str]:
    path = split_log(trial.path)
    return {json.loads(line)["split"] for line in path.read_text().splitlines()} if path.exists() else set()
