"""A storage folder that is moved, copied or removed: what its runs are, and where their files go."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from orchestrator.launch.find_run import find_run
from orchestrator.launch.train import train_one
from orchestrator.tracking import Store, connect, resolve_store
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.sweep_on_disk import draw_panel
from trainables.config import ConfigError, ExperimentConfig, experiment_from_tree, to_yaml
from trainables.trial_folder import TrialFolder

Cli = Callable[..., Any]
TINY: dict[str, Any] = {
    "data": {"kind": "spurious_digits", "num_train": 32, "num_test": 32, "image_size": 32},
    "model": {"kind": "small_cnn", "width": 4},
    "training": {"epochs": 2, "batch_size": 16},
    "evaluation": {"panel_images": 2},
}

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


@pytest.fixture(scope="module")
def config() -> ExperimentConfig:
    return experiment_from_tree(TINY)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, config: ExperimentConfig) -> Path:
    """Return a storage folder with a run of `campaign train`."""
    storage = tmp_path_factory.mktemp("trained") / "a bü"
    train_one(config, name="one", campaign="tests", storage=storage, store=resolve_store(storage))
    return storage


@dataclass
class Moved:
    """A storage folder, and the path at which its run was trained."""

    old: Path
    storage: Path

    @property
    def store(self) -> Store:
        return resolve_store(self.storage)

    @property
    def client(self) -> MlflowClient:
        client: MlflowClient = connect(self.store)
        return client

    def runs(self) -> list[Any]:
        return list(self.client.search_runs(["1"]))


@pytest.fixture
def moved(trained: Path, tmp_path: Path) -> Iterator[Moved]:
    """Yield a storage that was moved after its run was trained; nothing may appear at its old path."""
    storage, aside = tmp_path / "moved", tmp_path / "original"
    shutil.copytree(trained, storage)
    trained.rename(aside)
    forget_artifact_folders()
    yield Moved(trained, storage)
    assert not trained.exists()
    aside.rename(trained)


def forget_artifact_folders() -> None:
    """Make MLflow look up where a run's artifacts lie, as another process does."""
    _artifact_repos_cache.clear()


def artifacts(client: MlflowClient, run_id: str) -> set[str]:
    return {file.path for file in client.list_artifacts(run_id)}


@pytest.mark.fault("The storage of a run is moved.")
def test_moved_run_continues_as_the_run_it_was(
    moved: Moved, config: ExperimentConfig, count_epochs: CountEpochs
) -> None:
    (before,) = moved.runs()
    folder = TrialFolder(moved.storage / "runs" / "one")
    folder.outcome_path.unlink()
    folder.evaluation_path.unlink()
    draw_panel(folder.path)
    train_one(config, name="one", campaign="tests", storage=moved.storage, store=moved.store)
    (after,) = moved.runs()
    assert after.info.run_id == before.info.run_id
    assert after.data.tags["campaign.directory"] == str(folder.path)
    assert Path(after.info.artifact_uri.removeprefix("file://")).is_relative_to(moved.storage)
    images = moved.client.list_artifacts(after.info.run_id, "images")
    assert any("panels~a+step+1+" in image.path for image in images), images
    count_epochs(epochs_in_files([folder]), 2)
    count_epochs(epochs_in_mlflow(moved.store, "one", "epoch"), 2)


def test_moved_run_is_evaluated_into_its_own_run(moved: Moved, cli: Cli, caplog: pytest.LogCaptureFixture) -> None:
    (before,) = moved.runs()
    ran = cli("evaluate", "one", "--suite", "accuracy", "--storage", moved.storage)
    assert ran.code == 0, ran.err
    (after,) = moved.runs()
    assert after.info.run_id == before.info.run_id
    assert {"config.yaml", "evaluation"} <= artifacts(moved.client, after.info.run_id)
    assert [record.getMessage() for record in caplog.records] == [
        f"the artifacts of {moved.old}/artifacts are now looked for in {moved.storage}/artifacts"
    ]


def test_run_id_means_the_folder_of_the_storage_in_use(moved: Moved) -> None:
    (run,) = moved.runs()
    moved.old.mkdir()
    shutil.copytree(moved.storage / "runs", moved.old / "runs")
    try:
        assert find_run(run.info.run_id, moved.storage, moved.store).path == moved.storage / "runs" / "one"
    finally:
        shutil.rmtree(moved.old)


def test_run_id_does_not_mean_a_folder_made_anew_under_its_name(moved: Moved, config: ExperimentConfig) -> None:
    (run,) = moved.runs()
    folder = TrialFolder(moved.storage / "runs" / "one")
    shutil.rmtree(folder.path)
    folder.claim(config)
    with pytest.raises(ConfigError, match=f"no run '{run.info.run_id}'"):
        find_run(run.info.run_id, moved.storage, moved.store)


@pytest.mark.fault("The storage of a sweep is moved.")
@pytest.mark.usefixtures("sent_sweep")
def test_moved_sweep_is_sent_and_shown_from_its_new_place(cli: Cli, tmp_path: Path, count_epochs: CountEpochs) -> None:
    before = {run.info.run_id for run in connect(resolve_store(tmp_path)).search_runs(["1"])}
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    try:
        forget_artifact_folders()
        draw_panel(moved / "sweeps" / "first" / "trials" / "0000")
        for command in (("sync", "first"), ("leaderboard", "first"), ("report", "first"), ("resume", "first")):
            ran = cli(*command, "--storage", moved)
            assert ran.code == 0, ran.err
        assert not tmp_path.exists()
        client = connect(resolve_store(moved))
        runs = client.search_runs(["1"])
        assert {run.info.run_id for run in runs} == before
        (trial,) = (run for run in runs if run.data.tags["campaign.kind"] == "trial")
        assert {"config.yaml", "images"} <= artifacts(client, trial.info.run_id)
        count_epochs(epochs_in_mlflow(resolve_store(moved), "first", "epoch"), 1)
    finally:
        moved.rename(tmp_path)


@pytest.mark.parametrize("epoch", [1, 2])
@pytest.mark.fault("The storage is removed while `campaign train` runs.", trains=False)
def test_storage_removed_in_mid_run_ends_the_run(
    epoch: int, cli: Cli, tmp_path: Path, config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, file = tmp_path / "storage", tmp_path / "tiny.yaml"
    file.write_text(to_yaml(config))
    commit = TrialFolder.commit

    def commit_then_remove(folder: TrialFolder, state: Any, rows: Any, weights: Any) -> None:
        commit(folder, state, rows, weights)
        if rows[-1]["epoch"] == epoch:
            shutil.rmtree(storage)

    monkeypatch.setattr(TrialFolder, "commit", commit_then_remove)
    ran = cli("train", file, "--name", "one", "--storage", storage)
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == (
        f"error: {storage}/runs/one was removed or moved while its trial ran; if it was moved, the same command "
        "continues it with its new --storage"
    )
    assert not storage.exists()
