"""Faults at random for the whole life of a sweep: `make chaos` runs these for half an hour."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import get_args

import psutil
import pytest

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.sweep import sync_sweep
from orchestrator.tracking import Store, connect, resolve_store
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.faulty_proxy import Fault, FaultyProxy
from tests.harness.mlflow_server import Server
from tests.integration.conftest import EPOCHS, PATIENCE_S, TINY, Shell, rows, wait

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(3600)]

SWEEP = ("sweep", "digits-background-weight", "--trials=3", *TINY)
NUM_REQUESTS = 200
NUM_KILLS = 50


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[FaultyProxy]:
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server")
    server.start()
    try:
        with FaultyProxy(server.url, pause_s=2.0).running() as proxy:
            yield proxy
    finally:
        server.kill()


def assert_one_finished_run_each(store: Store, sweep: SweepFolder) -> None:
    """Check that each trial and the sweep itself have one run, which is FINISHED."""
    client, config = connect(store), sweep.config()
    experiment = client.get_experiment_by_name(config.campaign)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], f"tags.`campaign.sweep` = '{config.name}'")
    assert {run.info.status for run in found} == {"FINISHED"}
    names = [run.data.tags.get("campaign.trial_id", "the sweep") for run in found]
    assert sorted(names) == sorted([*sweep.trial_ids(), "the sweep"])


@pytest.mark.fault(
    "A quarter of all requests to MLflow is delayed, lost, unanswered or repeated, for a whole sweep.", says=False
)
def test_mlflow_behind_a_proxy_that_delays_drops_and_repeats_has_every_epoch_once(
    shell: Shell, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch, count_epochs: CountEpochs
) -> None:
    generator = random.Random(0)

    def choose(_: str) -> Fault | None:
        return generator.choice(get_args(Fault)) if generator.random() < 0.25 else None

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    command = (*SWEEP, "--name=faulty", f"--tracking-uri={proxy.uri}")
    proxy.choose = choose
    sweep = shell.sweep("faulty")
    for _ in range(20):  # It does not start while MLflow does not answer.
        ran = wait(shell.start(*command), 600)
        if ran.code == 0 and len(proxy.seen) >= NUM_REQUESTS:
            break
    assert ran.code == 0, ran.err
    assert len(proxy.seen) >= NUM_REQUESTS
    assert {fault for _, fault in proxy.seen} == {None, *get_args(Fault)}

    proxy.choose = {}.get
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    synced = shell.run("sync", "faulty", f"--tracking-uri={proxy.uri}")
    assert synced.code == 0, synced.err
    store = resolve_store(shell.storage, proxy.uri)
    assert_one_finished_run_each(store, sweep)
    count_epochs(epochs_in_files(map(sweep.trial, sweep.trial_ids())), EPOCHS)
    for metric in ("epoch", "train/loss", "train/accuracy"):
        count_epochs(epochs_in_mlflow(store, "faulty", metric), EPOCHS)


@pytest.mark.fault("SIGKILL of a sweep's driver at fifty random moments.", says=False)
def test_sweep_killed_at_random_moments_has_the_rows_of_one_that_never_stopped(
    shell: Shell, count_epochs: CountEpochs
) -> None:
    life_s = seconds_of_life(PATIENCE_S, shell, "straight")
    assert life_s is not None
    generator, num_killed, names = random.Random(0), 0, iter(range(NUM_KILLS + 1))
    while num_killed < NUM_KILLS:
        name, before = f"cut-{next(names)}", num_killed
        limit_s = generator.uniform(0, life_s)
        while (lived_s := seconds_of_life(limit_s, shell, name)) is None:
            num_killed += 1
            limit_s = generator.uniform(0, life_s) if num_killed < NUM_KILLS else PATIENCE_S
        if num_killed == before:
            life_s = min(life_s, lived_s)  # The first may have shared the machine.
        sweep = shell.sweep(name)
        count_epochs(epochs_in_files(map(sweep.trial, sweep.trial_ids())), EPOCHS)
        assert sync_sweep(sweep, shell.store) == []
        count_epochs(epochs_in_mlflow(shell.store, name), EPOCHS)
        assert rows(sweep) == rows(shell.sweep("straight"))


def seconds_of_life(limit_s: float, shell: Shell, name: str) -> float | None:
    """Start the sweep or continue it; return how long it took to its end, or None if it was killed at the limit."""
    started = time.monotonic()
    process = shell.start(*SWEEP, f"--name={name}")
    while process.poll() is None and time.monotonic() - started < limit_s:
        time.sleep(0.01)
    lived_s = time.monotonic() - started
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):  # It has just ended by itself.
        family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    ended = wait(process)
    _, alive = psutil.wait_procs(family, timeout=2)
    for other in alive:  # Ray's own end comes later where it had just begun to start.
        with suppress(psutil.NoSuchProcess):
            other.kill()
    assert ended.code in (0, -signal.SIGKILL), ended.err
    return lived_s if ended.code == 0 else None
