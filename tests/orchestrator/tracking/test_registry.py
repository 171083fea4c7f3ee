"""A trained network through MLflow and back."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch

from orchestrator.tracking import Store, StoreError, TrialRun, connect, log_model, set_champion_alias
from tests.orchestrator.tracking.conftest import row
from tests.trainables.models.test_own_network import config_of, write
from trainables.config import SmallCnn
from trainables.json_file import write_text
from trainables.models import build_model
from trainables.trial_folder import TrialFolder, as_json_line

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates; importing mlflow.pyfunc infers a schema from
# type hints of its own and complains about them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model(SmallCnn(width=4), num_classes=3).model


@pytest.fixture
def run_id(trial: Any, make_trial_run: Callable[..., TrialRun]) -> str:
    trial.write_rows(2)
    trial.write_json("evaluation.json", **{"val/accuracy": 0.2, "val/background/gap": 0.5})
    trial_run = make_trial_run(trial)
    trial_run.push()
    assert trial_run.run_id is not None
    return trial_run.run_id


def test_champion_loads_as_the_network_it_was(
    store: Store, trial: Any, run_id: str, network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_model(store, run_id, TrialFolder(trial.folder), network)
    assert set_champion_alias(store, "digits", run_id) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)
    loaded = mlflow.pytorch.load_model("models:/digits@champion")
    images_BCHW = torch.rand(2, 3, 48, 48)
    expected = network.eval()(images_BCHW)
    found = loaded(images_BCHW)
    assert not loaded.training
    assert type(found) is type(expected)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_champion_of_a_users_network_loads_where_its_file_was_never_run(
    store: Store, trial: Any, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_model(config_of(write(tmp_path)).model, num_classes=3, image_size=48).model.eval()
    log_model(store, run_id, TrialFolder(trial.folder), network)
    set_champion_alias(store, "mine", run_id)
    monkeypatch.delitem(sys.modules, type(network.trunk.network).__module__)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)
    loaded = mlflow.pytorch.load_model("models:/mine@champion")
    images_BCHW = torch.rand(2, 3, 48, 48)
    torch.testing.assert_close(loaded(images_BCHW), network(images_BCHW), rtol=0, atol=0)


def test_model_is_logged_once_with_the_runs_metrics(
    store: Store, trial: Any, run_id: str, network: torch.nn.Module
) -> None:
    network.train()
    model_id = log_model(store, run_id, TrialFolder(trial.folder), network)
    assert log_model(store, run_id, TrialFolder(trial.folder), network) == model_id
    assert network.training

    model = connect(store).get_logged_model(model_id)
    assert model.source_run_id == run_id
    assert {metric.key: metric.value for metric in model.metrics} == {
        "epoch": 2,
        "train/loss": 0.5,
        "val/accuracy": 0.2,
        "val/background/gap": 0.5,
    }
    history = connect(store).get_metric_history(run_id, "val/accuracy")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.1), (2, 0.2)]
    assert mlflow.active_run() is None


def test_alias_passes_to_the_new_champion_and_back(
    store: Store, trial: Any, run_id: str, network: torch.nn.Module
) -> None:
    first_model = log_model(store, run_id, TrialFolder(trial.folder), network)
    first = set_champion_alias(store, "passing", run_id)
    trial.write_rows(3)
    log_model(store, run_id, TrialFolder(trial.folder), network)
    second = set_champion_alias(store, "passing", run_id)
    assert set_champion_alias(store, "passing", run_id) == second == first + 1
    champion = connect(store).get_model_version_by_alias("passing", "champion")
    assert int(champion.version) == second
    assert champion.model_id != first_model


def test_run_without_a_model_cannot_be_champion(store: Store, run_id: str) -> None:
    with pytest.raises(StoreError, match="has no model to register as digits@champion"):
        set_champion_alias(store, "digits", run_id)


def test_outage_loses_the_copy_and_not_the_trial(
    tmp_path: Path, trial: Any, run_id: str, network: torch.nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Store(f"sqlite:///{tmp_path / 'gone.db'}")
    assert log_model(gone, run_id, TrialFolder(trial.folder), network) is None
    assert f"run {run_id}: model not sent to MLflow; its weights stay in {trial.folder}" in caplog.text


def test_logging_a_model_leaves_logging_as_it_was(
    store: Store, trial: Any, run_id: str, network: torch.nn.Module
) -> None:
    level, handlers = logging.getLogger().level, list(logging.getLogger().handlers)
    log_model(store, run_id, TrialFolder(trial.folder), network)
    assert (logging.getLogger().level, logging.getLogger().handlers) == (level, handlers)
    assert logging.getLogger("mlflow.pytorch").level == logging.NOTSET


def test_former_champion_stays_one_unless_asked_for(
    store: Store, trial: Any, run_id: str, network: torch.nn.Module
) -> None:
    log_model(store, run_id, TrialFolder(trial.folder), network)
    set_champion_alias(store, "former", run_id, again=False)
    connect(store).set_registered_model_alias("former", "champion", "1")
    trial.write_rows(3)
    log_model(store, run_id, TrialFolder(trial.folder), network)
    assert set_champion_alias(store, "former", run_id, again=False) == 2
    connect(store).set_registered_model_alias("former", "champion", "1")
    set_champion_alias(store, "former", run_id, again=False)
    assert int(connect(store).get_model_version_by_alias("former", "champion").version) == 1
    set_champion_alias(store, "former", run_id)
    assert int(connect(store).get_model_version_by_alias("former", "champion").version) == 2


def test_model_of_the_best_epoch_has_the_metrics_of_that_epoch(
    store: Store, trial: Any, make_trial_run: Callable[..., TrialRun], network: torch.nn.Module
) -> None:
    rows = [{**row(epoch), "kept_epoch": min(epoch, 2)} for epoch in (1, 2, 3)]
    write_text(trial.folder / "metrics.jsonl", "".join(map(as_json_line, rows)))
    trial.write_json("evaluation.json", **{"val/accuracy": 0.2, "val/background/gap": 0.5, "kept_epoch": 2})
    trial_run = make_trial_run(trial)
    trial_run.push()
    assert trial_run.run_id is not None
    model_id = log_model(store, trial_run.run_id, TrialFolder(trial.folder), network)
    assert log_model(store, trial_run.run_id, TrialFolder(trial.folder), network) == model_id
    model = connect(store).get_logged_model(model_id)
    assert {metric.key: metric.value for metric in model.metrics} == {
        "epoch": 2,
        "kept_epoch": 2,
        "train/loss": 0.5,
        "val/accuracy": 0.2,
        "val/background/gap": 0.5,
    }
    run = connect(store).get_run(trial_run.run_id)
    assert [output.step for output in run.outputs.model_outputs] == [2]
    assert run.data.metrics["val/accuracy"] == 0.2
