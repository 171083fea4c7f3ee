"""Sweeps run once by the real command line, and looked at by many tests."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.tracking import Store, connect, resolve_store
from trainables.trial_folder import Row, TrialFolder

COMMAND = Path(sys.executable).with_name("campaign")
PATIENCE_S = 240
EPOCHS = 4
TINY = (
    "--set=data.num_train=128",
    "--set=data.num_test=32",
    "--set=model.width=4",
    "--set=evaluation.panel_images=2",
    f"--set=training.epochs={EPOCHS}",
)


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document that is all of standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass(frozen=True)
class Shell:
    """Runs `campaign` on one storage folder."""

    storage: Path

    def run(self, *arguments: str) -> Ran:
        return wait(self.start(*arguments))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command at the head of a process group of its own, as a terminal does."""
        hidden = ("CAMPAIGN_TRACKING_URI", "MLFLOW_TRACKING_URI", "RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        return subprocess.Popen(
            [str(COMMAND), *arguments],
            env={**environment, "CAMPAIGN_STORAGE": str(self.storage), "OMP_NUM_THREADS": "1"},
            cwd=self.storage,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_restore_signals,
        )

    def sweep(self, name: str) -> SweepFolder:
        return SweepFolder.of(self.storage, name)

    @property
    def store(self) -> Store:
        return resolve_store(self.storage)


def _restore_signals() -> None:
    """Undo what `nohup`, and a shell for what it starts in the background, do: such tests would wait for ever."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait(process: "subprocess.Popen[str]", patience_s: float = PATIENCE_S) -> Ran:
    try:
        out, err = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"{process.args} did not end in {patience_s} s\n{out}\n{err}")
    return Ran(process.returncode, out, err)


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Return as soon as `condition` holds; fail when the command ends before that."""
    while not condition():
        if process.poll() is not None:
            pytest.fail(f"{process.args} ended too early\n{wait(process)}")
        time.sleep(0.02)


def kill_a_worker(driver: "subprocess.Popen[str]", folder: TrialFolder) -> None:
    """Wait for the next epoch of the run, kill one of its workers, and wait until all of them have gone."""
    num_epochs = len(folder.rows())
    wait_until(lambda: len(folder.rows()) > num_epochs, driver)
    family = psutil.Process(driver.pid).children(recursive=True)
    workers = [process for process in family if "RayTrainWorker" in process.name()]
    workers[0].kill()
    psutil.wait_procs(workers, timeout=60)


@dataclass(frozen=True)
class Story:
    """A sweep of three trials: interrupted, damaged, resumed, extended by one, killed, resumed."""

    shell: Shell
    interrupted: Ran
    ids_at_interrupt: list[str]
    epochs_at_interrupt: dict[str, int]
    states_at_interrupt: list[str]
    """States of the sweep's MLflow runs."""
    damaged: str
    """The trial whose last checkpoint was cut short after the interruption."""
    resumed: Ran
    ids_at_kill: list[str]
    epochs_at_kill: dict[str, int]
    outlived_driver: list[str]
    """Processes of the killed driver that were alive a minute after its successor had ended."""
    finished: Ran

    @property
    def folder(self) -> SweepFolder:
        return self.shell.sweep("story")


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("storage"))


@pytest.fixture(scope="session")
def story(shell: Shell) -> Story:
    folder = shell.sweep("story")

    driver = shell.start("sweep", "digits-background-weight", "--name=story", "--trials=3", "--json", *TINY)
    wait_until(lambda: max(epochs(folder).values(), default=0) >= 2, driver)
    family = psutil.Process(driver.pid).children(recursive=True)
    os.killpg(driver.pid, signal.SIGINT)
    interrupted = wait(driver)
    psutil.wait_procs(family, timeout=60)
    ids_at_interrupt, epochs_at_interrupt = folder.trial_ids(), epochs(folder)
    states_at_interrupt = states(shell.store, interrupted.document["experiment_id"])

    damaged = cut_a_checkpoint(folder)
    resumed = shell.run("resume", "story", "--json")

    driver = shell.start("extend", "story", "--trials=1", "--json")
    wait_until(lambda: any(epochs(folder)[trial_id] for trial_id in folder.unfinished()), driver)
    family = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    ids_at_kill, epochs_at_kill = folder.trial_ids(), epochs(folder)
    finished = shell.run("resume", "story", "--json")
    wait(driver)
    _, alive = psutil.wait_procs(family, timeout=60)
    outlived = [process.name() for process in alive]
    return Story(
        shell,
        interrupted,
        ids_at_interrupt,
        epochs_at_interrupt,
        states_at_interrupt,
        damaged,
        resumed,
        ids_at_kill,
        epochs_at_kill,
        outlived,
        finished,
    )


def cut_a_checkpoint(sweep: SweepFolder) -> str:
    """Cut short the last checkpoint of a trial that has an earlier one too, and return the trial's id."""
    trial_id = next(trial_id for trial_id in sweep.unfinished() if epochs(sweep)[trial_id] >= 2)
    path = sweep.trial(trial_id).state_path
    path.write_bytes(path.read_bytes()[:-100])
    return trial_id


HALVING = """
import optuna
from search_spaces import Goal, Space

def suggest(trial: optuna.Trial) -> None:
    trial.suggest_float("optim.learning_rate", 1e-9, 1e38, log=True)

SPACE = Space(
    name="halving",
    summary="A good rate, one at which training breaks down, and one at which nothing moves.",
    base="digits",
    suggest=suggest,
    goals=(Goal("train/loss", "min"),),
    num_trials=3,
    asha=True,
    first_points=tuple({"optim.learning_rate": rate} for rate in (1e-2, 1e30, 1e-9)),
)
"""


@dataclass(frozen=True)
class Halving:
    """A sweep over a space of the user's own: one trial hangs once, one fails, one is stopped; the search then ends."""

    folder: SweepFolder
    ran: Ran


@pytest.fixture(scope="session")
def halving(shell: Shell) -> Halving:
    (shell.storage / "halving.py").write_text(HALVING, encoding="utf-8")
    folder = shell.sweep("halving")
    ends = ("--trials=4", "--stop-when=no improvement for 1")
    options = ("--name=halving", "--concurrent=1", "--trial-timeout=25s", *ends, "--json")
    driver = shell.start("sweep", "halving.py", *options, *TINY)
    wait_until(lambda: bool(folder.trial("0000").rows()), driver)
    for process in psutil.Process(driver.pid).children(recursive=True):
        if "ImplicitFunc" in process.name():  # Tune's name of the process in which the trial runs.
            process.send_signal(signal.SIGSTOP)
    return Halving(folder, wait(driver))


@dataclass(frozen=True)
class Promoted:
    """The story's best trial on two Ray Train workers."""

    folder: SweepFolder
    ran: Ran


SCALE = """
set:
  resources.workers: 2
  training.epochs: 2
"""


@pytest.fixture(scope="session")
def promoted(story: Story) -> Promoted:
    (story.shell.storage / "pair.yaml").write_text(SCALE, encoding="utf-8")
    ran = story.shell.run("promote", "story", "--scale=pair.yaml", "--json")
    return Promoted(story.shell.sweep("story-pair"), ran)


def epochs(folder: SweepFolder) -> dict[str, int]:
    """Return trial id -> committed epochs."""
    return {trial_id: len(folder.trial(trial_id).rows()) for trial_id in folder.trial_ids()}


def rows(sweep: SweepFolder) -> dict[str, list[Row]]:
    """Return the rows of all trials without their times."""
    return {trial_id: list(map(without_times, sweep.trial(trial_id).rows())) for trial_id in sweep.trial_ids()}


def without_times(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("time/")}


def states(store: Store, experiment_id: str) -> list[str]:
    """Return the states of the experiment's runs."""
    return [run.info.status for run in connect(store).search_runs([experiment_id])]
