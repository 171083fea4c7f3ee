"""`campaign tracking serve`: a server that others log to, from its first word to its last process."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from orchestrator.launch.trials import draw_curves
from orchestrator.tracking import RunIdentity, TrialRun, connect, ensure_experiment, resolve_store
from orchestrator.tracking.server import prepare_database
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.integration.conftest import Shell, wait
from tests.integration.many_nodes import free_port
from tests.integration.postgres import postgres
from trainables.config import ExperimentConfig
from trainables.json_file import write_text
from trainables.trial_folder import TrialFolder, as_json_line

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(shell: Shell) -> Iterator["subprocess.Popen[str]"]:
    process = shell.start("tracking", "serve", f"--port={free_port()}", "--json")
    yield process
    if process.poll() is None:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def document(server: "subprocess.Popen[str]") -> dict[str, str]:
    assert server.stdout is not None
    lines: list[str] = []
    for line in server.stdout:
        lines.append(line)
        if line == "}\n":
            break
    assert lines, wait(server)
    return dict(json.loads("".join(lines)))


def test_it_says_where_it_is_once_it_answers(shell: Shell, document: dict[str, str]) -> None:
    assert document["tracking_uri"].startswith("http://127.0.0.1:")
    assert document["store"] == f"sqlite:///{shell.storage}/mlflow.db"
    with urllib.request.urlopen(f"{document['tracking_uri']}/health", timeout=30) as response:
        assert response.status == 200


def test_runs_and_artifacts_go_through_it(shell: Shell, document: dict[str, str], tmp_path: Path) -> None:
    store = resolve_store(shell.storage, document["tracking_uri"])
    experiment_id = ensure_experiment(store, "through the server")
    run_id = connect(store).create_run(experiment_id).info.run_id
    (tmp_path / "note.txt").write_text("kept", encoding="utf-8")
    connect(store).log_artifact(run_id, str(tmp_path / "note.txt"))
    (kept,) = (shell.storage / "artifacts").rglob("note.txt")
    assert kept.read_text(encoding="utf-8") == "kept"
    with sqlite3.connect(shell.storage / "mlflow.db") as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_taken_port_is_refused(shell: Shell, document: dict[str, str]) -> None:
    port = document["tracking_uri"].rpartition(":")[2]
    ran = shell.run("tracking", "serve", f"--port={port}")
    assert ran.code == 2
    assert f"cannot listen on --host 127.0.0.1 --port {port}: Address already in use; give another --port" in ran.err


def test_all_its_processes_end_with_it(server: "subprocess.Popen[str]", document: dict[str, str]) -> None:
    assert document
    family = psutil.Process(server.pid).children(recursive=True)
    assert family
    os.killpg(server.pid, signal.SIGINT)
    ended = wait(server)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.endswith("stopped\n")
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_killed_command_takes_the_server_along(shell: Shell) -> None:
    port = free_port()
    process = shell.start("tracking", "serve", f"--port={port}")
    assert process.stdout is not None
    assert process.stdout.readline() == f"CAMPAIGN_TRACKING_URI=http://127.0.0.1:{port}\n"
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_several_processes_may_make_the_store_ready(tmp_path: Path) -> None:
    with postgres() as uri:
        prepare_database(resolve_store(tmp_path, uri))
        prepare_database(resolve_store(tmp_path, uri))


@pytest.mark.fault("PostgreSQL stops answering while a trial trains.")
def test_database_that_falls_silent_loses_no_row_and_stalls_no_training(
    tmp_path: Path, count_epochs: CountEpochs
) -> None:
    folder = TrialFolder(tmp_path / "runs" / "one")
    folder.claim(ExperimentConfig())
    with postgres() as uri:
        store = resolve_store(tmp_path, uri)
        identity = RunIdentity(ensure_experiment(store, "silent"), "one", "one", "abc")
        run = TrialRun(store, identity, folder, draw_curves=draw_curves)
        write_text(folder.metrics_path, as_json_line({"epoch": 1}))
        run.push()
        (server,) = (process for process in psutil.process_iter() if f"-p {urlsplit(uri).port} " in cmdline(process))
        family = [server, *server.children(recursive=True)]
        for process in family:
            process.suspend()
        write_text(folder.metrics_path, as_json_line({"epoch": 1}) + as_json_line({"epoch": 2}))
        run.push()
        assert run.in_outage
        for process in family:
            process.resume()
        TrialRun(store, identity, folder, draw_curves=draw_curves).push()
        count_epochs(epochs_in_files([folder]), 2)
        count_epochs(epochs_in_mlflow(store, "one", "epoch"), 2)


def cmdline(process: psutil.Process) -> str:
    try:
        return " ".join([*process.cmdline(), ""]) if process.name() == "postgres" else ""
    except psutil.Error:
        return ""


def test_database_that_does_not_answer_is_said_at_once(tmp_path: Path, shell: Shell) -> None:
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL, psycopg, is not installed")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = f"postgresql://me:secret@127.0.0.1:{closed.getsockname()[1]}/mlflow"
        ran = shell.run("tracking", "serve", f"--backend-store-uri={uri}", f"--storage={tmp_path}")
    assert ran.code == 2
    assert "refused" in ran.err
    assert "secret" not in ran.err
