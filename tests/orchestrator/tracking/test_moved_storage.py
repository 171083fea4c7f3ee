"""Which addresses in MLflow's database follow the storage folder, and which stay."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch

from orchestrator.tracking import (
    Store,
    TrialRun,
    connect,
    ensure_experiment,
    log_model,
    resolve_store,
    set_champion_alias,
)
from trainables.config import SmallCnn
from trainables.models import build_model
from trainables.trial_folder import TrialFolder

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates; importing mlflow.pyfunc infers a schema from
# type hints of its own and complains about them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]
MakeTrialRun = Callable[..., TrialRun]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a storage with a database that no test uses itself: to make one ready takes seconds."""
    storage = tmp_path_factory.mktemp("empty")
    ensure_experiment(resolve_store(storage), "unused")
    return storage


@pytest.fixture
def storage(empty: Path, tmp_path: Path) -> Path:
    """Return a storage of the test's own, in which experiment 2 was made."""
    storage = tmp_path / "storage"
    storage.mkdir()
    shutil.copy(empty / "mlflow.db", storage)
    ensure_experiment(resolve_store(storage), "tests")
    return storage


def location(store: Store) -> str:
    return str(connect(store).get_experiment_by_name("tests").artifact_location)


def test_model_of_a_moved_storage_stays_the_champion_and_loads(
    storage: Path, trial: Any, make_trial_run: MakeTrialRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = resolve_store(storage)
    trial.write_rows(1)
    trial_run = make_trial_run(trial, store=store, experiment_id="2")
    trial_run.push()
    run_id = trial_run.run_id
    assert run_id is not None
    network = build_model(SmallCnn(width=4), num_classes=3).model
    log_model(store, run_id, TrialFolder(trial.folder), network)
    assert set_champion_alias(store, "digits", run_id) == 1
    storage.rename(storage.with_name("moved"))
    store = resolve_store(storage.with_name("moved"))
    ensure_experiment(store, "tests")
    assert log_model(store, run_id, TrialFolder(trial.folder), network) is not None
    assert set_champion_alias(store, "digits", run_id) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)
    loaded = mlflow.pytorch.load_model("models:/digits@champion")
    torch.testing.assert_close(loaded.state_dict(), network.state_dict(), rtol=0, atol=0)
    assert not storage.exists()


def test_copied_storage_has_artifacts_of_its_own(
    storage: Path, trial: Any, make_trial_run: MakeTrialRun, caplog: pytest.LogCaptureFixture
) -> None:
    make_trial_run(trial, store=resolve_store(storage), experiment_id="2").push()
    shutil.copytree(storage, storage.with_name("copy"))
    copy = resolve_store(storage.with_name("copy"))
    for _ in range(2):
        ensure_experiment(copy, "tests")
        ensure_experiment(resolve_store(storage), "tests")
    assert location(copy) == copy.artifact_location
    assert location(resolve_store(storage)) == resolve_store(storage).artifact_location
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_artifacts_of_another_storage_stay_there(storage: Path, trial: Any, make_trial_run: MakeTrialRun) -> None:
    """One database may serve several storage folders."""
    own, other = resolve_store(storage), storage.with_name("other")
    shared = resolve_store(other, own.tracking_uri)
    experiment_id = ensure_experiment(shared, "of the other")
    make_trial_run(trial, store=shared, experiment_id=experiment_id).push()
    for store in (own, shared):
        ensure_experiment(store, "tests")
        assert connect(store).get_experiment(experiment_id).artifact_location == f"file://{other}/artifacts"
    assert location(own) == own.artifact_location


def test_storage_that_is_reached_by_a_link_stays_where_it_is(
    storage: Path, trial: Any, make_trial_run: MakeTrialRun, caplog: pytest.LogCaptureFixture
) -> None:
    make_trial_run(trial, store=resolve_store(storage), experiment_id="2").push()
    link = storage.with_name("link")
    link.symlink_to(storage)
    ensure_experiment(resolve_store(link), "tests")
    assert location(resolve_store(link)) == f"file://{storage}/artifacts"
    assert caplog.records == []
