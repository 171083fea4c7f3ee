"""A trial sent to a real MLflow server that goes away and comes back."""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch

from orchestrator.tracking import (
    Store,
    StoreError,
    TrialRun,
    connect,
    ensure_experiment,
    log_model,
    resolve_store,
    set_champion_alias,
    sync,
)
from tests.harness.faulty_proxy import Fault, FaultyProxy
from tests.harness.mlflow_server import START_TIMEOUT_S, Server
from tests.integration.conftest import TINY, Shell, wait, wait_until
from trainables.config import SmallCnn
from trainables.models import build_model
from trainables.trial_folder import TrialFolder

# Importing mlflow.pyfunc infers a schema from type hints of its own and complains about them.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")]

HANG_S = 60
"""Less than one try of MLflow's own would take, 120 s, and much more than ours on a busy machine."""
TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the server more time than training does: on a busy machine it needs more than five seconds."""
    monkeypatch.setenv(TIMEOUT, str(START_TIMEOUT_S))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


def count(record_property: Callable[[str, object], None], epochs: list[int], expected: int) -> None:
    """Check that epochs 1 to `expected` are there once, and report how many are missing or twice."""
    record_property("epochs_lost", expected - len(set(epochs)))
    record_property("duplicates", len(epochs) - len(set(epochs)))
    assert epochs == list(range(1, expected + 1))


def steps(store: Store, run_id: str | None, key: str) -> list[int]:
    return [metric.step for metric in connect(store).get_metric_history(run_id, key)]


@pytest.mark.fault("The MLflow server is killed while a trial trains, and comes back.")
def test_killed_server_loses_nothing_and_stalls_nobody(
    record_property: Callable[[str, object], None],
    tmp_path: Path,
    server: Server,
    trial: Any,
    make_trial_run: Callable[..., TrialRun],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = resolve_store(tmp_path, server.url)
    experiment_id = ensure_experiment(store, "killed")
    trial_run = make_trial_run(trial, store=store, experiment_id=experiment_id, first_wait_s=0.5)
    trial.write_rows(2)
    trial.draw_panels(1)
    trial_run.push()
    run_id = trial_run.run_id
    assert run_id is not None
    before = dict(os.environ)

    server.kill()
    start = time.monotonic()
    for epochs in range(3, 8):
        trial.write_rows(epochs)
        trial_run.push()
    trial_run.finish("FINISHED")
    assert time.monotonic() - start < HANG_S
    assert trial_run.in_outage
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    assert dict(os.environ) == before

    trial.draw_panels(7)
    trial.write_json("evaluation.json", **{"background/gap": 0.5})
    trial.write_json("outcome.json", status="completed", epoch=7, error=None)
    server.start()
    for _ in range(2):
        make_trial_run(trial, store=store, experiment_id=experiment_id).push()
    count(record_property, steps(store, run_id, "epoch"), 7)
    assert steps(store, run_id, "train/loss") == list(range(1, 8))
    assert steps(store, run_id, "background/gap") == [7]
    run = connect(store).get_run(run_id)
    assert run.info.status == "FINISHED"
    assert len(connect(store).search_runs([experiment_id])) == 1
    assert len(connect(store).list_artifacts(run_id, "images")) == 8  # 4 images and their compressed copies
    assert capsys.readouterr().out == ""  # it belongs to the commands' JSON


@pytest.mark.fault("The MLflow server stops answering.")
def test_server_that_hangs_costs_seconds(
    record_property: Callable[[str, object], None],
    tmp_path: Path,
    server: Server,
    trial: Any,
    make_trial_run: Callable[..., TrialRun],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = resolve_store(tmp_path, server.url)
    trial_run = make_trial_run(trial, store=store, experiment_id=ensure_experiment(store, "hanging"), first_wait_s=0.0)
    trial.write_rows(1)
    trial_run.push()
    run_id = trial_run.run_id

    server.send(signal.SIGSTOP)
    trial.write_rows(2)
    monkeypatch.delenv(TIMEOUT)
    start = time.monotonic()
    trial_run.push()
    lasted_s = time.monotonic() - start
    monkeypatch.setenv(TIMEOUT, str(START_TIMEOUT_S))
    server.send(signal.SIGCONT)
    assert trial_run.in_outage
    assert lasted_s < HANG_S

    while not server.answers():  # It first works off the request that nobody waits for.
        time.sleep(0.2)
    trial_run.push()
    assert not trial_run.in_outage
    count(record_property, steps(store, run_id, "epoch"), 2)


@pytest.fixture(scope="session")
def proxy(server: Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.url, pause_s=2.0).running() as proxy:
        yield proxy


CREATE = "/api/2.0/mlflow/runs/create"
LOG_BATCH = "/api/2.0/mlflow/runs/log-batch"


@pytest.mark.fault("MLflow creates a run after its client has given up.")
def test_run_that_is_created_after_its_client_gave_up_is_the_only_one(
    record_property: Callable[[str, object], None],
    tmp_path: Path,
    proxy: FaultyProxy,
    trial: Any,
    make_trial_run: Callable[..., TrialRun],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = resolve_store(tmp_path, proxy.uri)
    experiment_id = ensure_experiment(store, "created-late")
    trial.write_rows(2)
    proxy.choose = {CREATE: "late"}.get
    monkeypatch.setenv(TIMEOUT, "1")
    of_trial, of_driver = (make_trial_run(trial, store=store, experiment_id=experiment_id) for _ in range(2))
    of_trial.push()
    of_driver.push()
    assert of_trial.in_outage
    assert of_driver.is_being_created
    monkeypatch.setenv(TIMEOUT, str(START_TIMEOUT_S))
    assert sync([make_trial_run(trial, store=store, experiment_id=experiment_id, first_wait_s=0.0)]) == []

    (run,) = connect(store).search_runs([experiment_id])
    count(record_property, steps(store, run.info.run_id, "train/loss"), 2)
    assert proxy.num_forwarded[CREATE] == 1
    assert not of_trial.is_being_created


@pytest.mark.fault("MLflow has two runs of one trial.")
def test_of_two_runs_of_a_trial_the_one_with_rows_stays(
    record_property: Callable[[str, object], None],
    tmp_path: Path,
    proxy: FaultyProxy,
    trial: Any,
    make_trial_run: Callable[..., TrialRun],
) -> None:
    store, created = resolve_store(tmp_path, proxy.uri), {"created": "2030-01-01"}
    experiment_id = ensure_experiment(store, "created-twice")
    trial.write_rows(2)
    proxy.choose = {CREATE: "repeated"}.get
    trial_run = make_trial_run(trial, store=store, experiment_id=experiment_id, identity=created)
    trial_run.push()
    proxy.choose = {}.get
    assert len(connect(store).search_runs([experiment_id])) == 2
    make_trial_run(trial, store=store, experiment_id=experiment_id, identity=created).push()
    (run,) = connect(store).search_runs([experiment_id])
    assert run.info.run_id == trial_run.run_id
    count(record_property, steps(store, run.info.run_id, "train/loss"), 2)


@pytest.mark.fault("MLflow answers `log-batch` late or never, or gets it twice.")
@pytest.mark.parametrize("fault", ["answered late", "unanswered", "repeated"])
def test_rows_that_arrive_without_an_answer_are_there_once(
    fault: Fault,
    record_property: Callable[[str, object], None],
    tmp_path: Path,
    proxy: FaultyProxy,
    trial: Any,
    make_trial_run: Callable[..., TrialRun],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = resolve_store(tmp_path, proxy.uri)
    experiment_id = ensure_experiment(store, f"rows-{fault}")
    trial_run = make_trial_run(trial, store=store, experiment_id=experiment_id, first_wait_s=0.0)
    trial.write_rows(1)
    trial_run.push()
    proxy.choose = {LOG_BATCH: fault}.get
    monkeypatch.setenv(TIMEOUT, "1")
    trial.write_rows(3)
    trial_run.push()
    assert trial_run.in_outage == (fault != "repeated")
    os.utime(trial.folder / "metrics.jsonl")  # A later epoch is appended before the row is sent again.
    trial_run.push()
    proxy.choose = {}.get
    monkeypatch.setenv(TIMEOUT, str(START_TIMEOUT_S))
    trial_run.push()
    count(record_property, steps(store, trial_run.run_id, "epoch"), 3)
    count(record_property, steps(store, trial_run.run_id, "train/loss"), 3)


def test_model_goes_through_the_server_and_back(
    tmp_path: Path,
    server: Server,
    trial: Any,
    make_trial_run: Callable[..., TrialRun],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = resolve_store(tmp_path, server.url)
    trial_run = make_trial_run(trial, store=store, experiment_id=ensure_experiment(store, "model"))
    trial.write_rows(1)
    trial_run.push()
    assert trial_run.run_id is not None
    network = build_model(SmallCnn(width=4), num_classes=3).model
    log_model(store, trial_run.run_id, TrialFolder(trial.folder), network)
    assert set_champion_alias(store, "served", trial_run.run_id) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    loaded = mlflow.pytorch.load_model("models:/served@champion")
    torch.testing.assert_close(loaded.state_dict(), network.state_dict(), rtol=0, atol=0)
    history = connect(store).get_metric_history(trial_run.run_id, "val/accuracy")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.1)]


def test_sweep_does_not_start_without_its_server(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(StoreError, match=f"MLflow store {url}: "):
        ensure_experiment(resolve_store(tmp_path, url), "unreachable")
    assert time.monotonic() - start < HANG_S


@pytest.mark.fault("Ctrl-C twice during a push to MLflow.")
def test_ctrl_c_twice_during_a_push_loses_no_epoch(tmp_path: Path, server: Server) -> None:
    folder = TrialFolder(tmp_path / "runs" / "slow")
    with FaultyProxy(server.url, pause_s=2.0).running() as proxy:
        command = ("train", "digits", "--name=slow", f"--tracking-uri={proxy.uri}", *TINY)
        process = Shell(tmp_path).start(*command, "--set=training.epochs=100000")
        wait_until(lambda: len(folder.rows()) >= 2, process)
        proxy.choose = lambda path: "answered late" if path.endswith("log-batch") else None
        wait_until(lambda: any(fault for _, fault in proxy.seen), process)
        os.killpg(process.pid, signal.SIGINT)
        num_seen = len(proxy.seen)
        wait_until(lambda: len(proxy.seen) > num_seen, process)
        os.killpg(process.pid, signal.SIGINT)
        ran = wait(process)
    assert ran.code == 130
    assert "Traceback" not in ran.err
    assert ran.err.count("stopping ...") == 1
    client = connect(resolve_store(tmp_path, server.url))
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.`campaign.sweep` = 'slow'")
    assert run.info.status == "KILLED"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert sorted(metric.step for metric in history) == [int(row["epoch"]) for row in folder.rows()]
