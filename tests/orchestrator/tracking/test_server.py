"""A trial sent to a real MLflow server that goes away and comes back."""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.fault_message import NoteMessage
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


@dataclass(frozen=True)
class Sender:
    """Sends the test's trial to an experiment of its own on a server, and looks what has arrived."""

    store: Store
    experiment_id: str
    make_trial_run: Callable[..., TrialRun]

    def trial_run(self, **options: Any) -> TrialRun:
        return self.make_trial_run(store=self.store, experiment_id=self.experiment_id, **options)

    def runs(self) -> list[Any]:
        return list(connect(self.store).search_runs([self.experiment_id]))

    def steps(self, metric: str = "epoch") -> dict[str, list[int]]:
        """Return the steps that the only run has."""
        (run,) = self.runs()
        return {metric: [each.step for each in connect(self.store).get_metric_history(run.info.run_id, metric)]}


@pytest.fixture
def sender_to(
    tmp_path: Path, trial: Any, make_trial_run: Callable[..., TrialRun], request: pytest.FixtureRequest
) -> Callable[[str], Sender]:
    """Return a maker of senders to the server at an address."""

    def make(address: str) -> Sender:
        store = resolve_store(tmp_path, address)
        return Sender(store, ensure_experiment(store, request.node.name), partial(make_trial_run, trial))

    return make


@pytest.mark.fault("The MLflow server is killed while a trial trains, and comes back.")
def test_killed_server_loses_nothing_and_stalls_nobody(
    count_epochs: CountEpochs,
    server: Server,
    trial: Any,
    sender_to: Callable[[str], Sender],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sender = sender_to(server.url)
    trial_run = sender.trial_run(first_wait_s=0.5)
    trial.write_rows(2)
    trial.draw_panels(1)
    trial_run.push()
    assert trial_run.run_id is not None
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
    trial.write_json("evaluation.json", **{"val/background/gap": 0.5})
    trial.write_json("outcome.json", status="completed", epoch=7, error=None)
    server.start()
    for _ in range(2):
        sender.trial_run().push()
    count_epochs(sender.steps(), 7)
    count_epochs(sender.steps("train/loss"), 7)
    assert sender.steps("val/background/gap") == {"val/background/gap": [7]}
    (run,) = sender.runs()
    assert (run.info.run_id, run.info.status) == (trial_run.run_id, "FINISHED")
    images = connect(sender.store).list_artifacts(run.info.run_id, "images")
    assert len(images) == 8  # 4 images and their compressed copies
    assert capsys.readouterr().out == ""  # it belongs to the commands' JSON


@pytest.mark.fault("The MLflow server stops answering.")
def test_server_that_hangs_costs_seconds(
    count_epochs: CountEpochs,
    server: Server,
    trial: Any,
    sender_to: Callable[[str], Sender],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sender = sender_to(server.url)
    trial_run = sender.trial_run(first_wait_s=0.0)
    trial.write_rows(1)
    trial_run.push()

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
    count_epochs(sender.steps(), 2)


@pytest.fixture(scope="session")
def proxy(server: Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.url, pause_s=2.0).running() as proxy:
        yield proxy


CREATE = "/api/2.0/mlflow/runs/create"
LOG_BATCH = "/api/2.0/mlflow/runs/log-batch"


@pytest.mark.fault("MLflow creates a run after its client has given up.")
def test_run_that_is_created_after_its_client_gave_up_is_the_only_one(
    count_epochs: CountEpochs,
    proxy: FaultyProxy,
    trial: Any,
    sender_to: Callable[[str], Sender],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sender = sender_to(proxy.uri)
    trial.write_rows(2)
    proxy.choose = {CREATE: "late"}.get
    monkeypatch.setenv(TIMEOUT, "1")
    of_trial, of_driver = (sender.trial_run() for _ in range(2))
    of_trial.push()
    of_driver.push()
    assert of_trial.in_outage
    assert of_driver.is_being_created
    monkeypatch.setenv(TIMEOUT, str(START_TIMEOUT_S))
    assert sync([sender.trial_run(first_wait_s=0.0)]) == []

    count_epochs(sender.steps("train/loss"), 2)
    assert proxy.num_forwarded[CREATE] == 1
    assert not of_trial.is_being_created


@pytest.mark.fault("MLflow has two runs of one trial.", says=False)
def test_of_two_runs_of_a_trial_the_one_with_rows_stays(
    count_epochs: CountEpochs, proxy: FaultyProxy, trial: Any, sender_to: Callable[[str], Sender]
) -> None:
    sender, created = sender_to(proxy.uri), {"created": "2030-01-01"}
    trial.write_rows(2)
    proxy.choose = {CREATE: "repeated"}.get
    trial_run = sender.trial_run(identity=created)
    trial_run.push()
    proxy.choose = {}.get
    assert len(sender.runs()) == 2
    sender.trial_run(identity=created).push()
    assert [run.info.run_id for run in sender.runs()] == [trial_run.run_id]
    count_epochs(sender.steps("train/loss"), 2)


@pytest.mark.fault("MLflow answers `log-batch` late or never, or gets it twice.")
@pytest.mark.parametrize("fault", ["answered late", "unanswered", "repeated"])
def test_rows_that_arrive_without_an_answer_are_there_once(
    fault: Fault,
    count_epochs: CountEpochs,
    proxy: FaultyProxy,
    trial: Any,
    sender_to: Callable[[str], Sender],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sender = sender_to(proxy.uri)
    trial_run = sender.trial_run(first_wait_s=0.0)
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
    count_epochs(sender.steps(), 3)
    count_epochs(sender.steps("train/loss"), 3)


def test_model_goes_through_the_server_and_back(
    server: Server, trial: Any, sender_to: Callable[[str], Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = sender_to(server.url)
    store, trial_run = sender.store, sender.trial_run()
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
def test_ctrl_c_twice_during_a_push_loses_no_epoch(
    tmp_path: Path, server: Server, count_epochs: CountEpochs, note_message: NoteMessage
) -> None:
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
    note_message(ran.err.splitlines())
    store = resolve_store(tmp_path, server.url)
    client = connect(store)
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.`campaign.sweep` = 'slow'")
    assert run.info.status == "KILLED"
    count_epochs(epochs_in_files([folder]), len(folder.rows()))
    count_epochs(epochs_in_mlflow(store, "slow"), len(folder.rows()))
