"""What MLflow has of a run of `campaign train` that it missed while the run trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.launch.sync import trial_run_of
from orchestrator.tracking import connect, ensure_experiment, resolve_store
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.fault_message import NoteMessage
from tests.harness.sweep_on_disk import SweepOnDisk, draw_panel
from trainables.trial_folder import TrialFolder

Cli = Callable[..., Any]
TINY = (
    *("--set=data.num_train=32", "--set=data.num_test=32", "--set=model.width=4", "--set=training.epochs=1"),
    *("--set=training.batch_size=16", "--set=evaluation.panel_images=0", "--set=evaluation.shift_every_epoch=false"),
)

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


def runs(storage: Path) -> list[Any]:
    client = connect(resolve_store(storage))
    return list(client.search_runs([experiment.experiment_id for experiment in client.search_experiments()]))


@pytest.fixture
def trained(cli: Cli, tmp_path: Path) -> Any:
    """A run whose database went away before its first epoch ended, and the command's output."""
    database, away = tmp_path / "mlflow.db", tmp_path / "away.db"
    ensure_experiment(resolve_store(tmp_path), "mine")
    from orchestrator.launch import train

    original = train._train

    def train_without_database(*arguments: Any) -> None:
        database.rename(away)
        original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_train", train_without_database)
        ran = cli("train", "digits", "--name=one", "--campaign=mine", "--storage", tmp_path, *TINY)
    away.rename(database)
    return ran


@pytest.mark.fault("MLflow's database is away from the start of `campaign train` to its end.")
def test_run_that_mlflow_missed_is_named_and_sent_by_sync(
    trained: Any, cli: Cli, tmp_path: Path, note_message: NoteMessage, count_epochs: CountEpochs
) -> None:
    note_message(trained.err.splitlines())
    assert trained.code == 0
    assert trained.err.splitlines()[-1] == "MLflow does not have all of run one; send it with: campaign sync one"
    assert runs(tmp_path) == []

    ran = cli("sync", "one", "--storage", tmp_path, "--json")
    assert (ran.code, ran.out.split()) == (0, ["{", '"run":', '"one",', '"synced":', "1,", '"left":', "[]", "}"])
    (run,) = runs(tmp_path)
    assert run.info.status == "FINISHED"
    count_epochs(epochs_in_files([TrialFolder(tmp_path / "runs" / "one")]), 1)
    count_epochs(epochs_in_mlflow(resolve_store(tmp_path), "one"), 1)
    assert connect(resolve_store(tmp_path)).get_experiment(run.info.experiment_id).name == "mine"

    refused = cli("train", "digits", "--name=one", "--campaign=other", "--storage", tmp_path, *TINY)
    assert refused.code == 2
    assert "--campaign other: run one is in MLflow experiment 'mine'; continue it with --campaign mine" in refused.err


def test_name_of_nothing_lists_what_there_is(trained: Any, cli: Cli, tmp_path: Path) -> None:
    assert trained.code == 0
    ran = cli("sync", "two", "--storage", tmp_path)
    assert ran.code == 2
    assert ran.err == f"error: no sweep or run 'two' in {tmp_path}; there are: one\n"


@pytest.mark.fault("The folder of a run is moved.", says=False)
@pytest.mark.usefixtures("trained")
def test_run_is_found_by_what_it_is_and_not_by_its_path(cli: Cli, tmp_path: Path, count_epochs: CountEpochs) -> None:
    assert cli("sync", "one", "--storage", tmp_path).code == 0
    moved = tmp_path / "elsewhere" / "one"
    moved.parent.mkdir()
    (tmp_path / "runs" / "one").rename(moved)
    trial_run = trial_run_of(TrialFolder(moved), resolve_store(tmp_path))
    trial_run.push()
    (run,) = runs(tmp_path)
    assert run.info.run_id == trial_run.run_id
    assert run.data.tags["campaign.directory"] == str(moved)
    count_epochs(epochs_in_mlflow(resolve_store(tmp_path), "one"), 1)


@pytest.mark.fault("SIGKILL to a sweep's driver between the end of a trial and the end of its MLflow run.", says=False)
def test_resume_ends_the_run_of_a_trial_that_ended_when_its_driver_was_killed(
    sent_sweep: SweepOnDisk, cli: Cli, tmp_path: Path, count_epochs: CountEpochs
) -> None:
    client = connect(resolve_store(tmp_path))
    (run,) = [run for run in runs(tmp_path) if run.data.tags["campaign.kind"] == "trial"]
    client.update_run(run.info.run_id, status="RUNNING")
    draw_panel(sent_sweep.folder.trial("0000").path)

    ran = cli("resume", "first", "--storage", tmp_path)
    assert ran.code == 0, ran.err
    assert {run.info.status for run in runs(tmp_path)} == {"FINISHED"}
    assert client.list_artifacts(run.info.run_id, "images")
    count_epochs(epochs_in_mlflow(resolve_store(tmp_path), "first", "epoch"), 1)
