"""The doctor on this machine, and on a broken one."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doctor import machine_state, services
from orchestrator.doctor.machine_state import State
from orchestrator.tracking import ensure_experiment, resolve_store

Cli = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[3]


def only(states: Any) -> State:
    (state,) = states
    assert isinstance(state, State)
    return state


def test_machine_that_runs_these_tests_has_no_error(tmp_path: Path, cli: Cli) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "image.png").write_bytes(b"x")
    ran = cli("doctor", "--storage", tmp_path / "new" / "storage", "--data", data, "--json")
    document = json.loads(ran.out)
    names = [check["name"] for check in document["checks"]]
    assert (ran.code, document["ok"]) == (0, True), ran.out
    assert {"python", "ray", "torch", "torchvision", "mlflow", "optuna", "operators", "cores"} <= set(names)
    assert {"/dev/shm", "storage", "tracking", "data"} <= set(names)
    assert document["checks"][0].keys() == {"name", "status", "found", "advice"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_errors_are_the_exit_code_and_say_what_to_do(tmp_path: Path, cli: Cli) -> None:
    ran = cli("doctor", "--storage", tmp_path, "--data", tmp_path / "none", "--tracking-uri", "file:/mlruns")
    assert ran.code == 1
    lines = {line.split()[1]: line for line in ran.out.splitlines()}
    assert lines["data"].startswith("error ")
    assert "No such file or directory; give the folder of data.root" in lines["data"]
    assert "MLflow no longer tracks runs in plain folders" in lines["tracking"]
    assert lines["python"].startswith("ok ")


def test_old_library_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = machine_state.importlib.metadata.version
    old = {"ray": "2.40.0"}
    monkeypatch.setattr(machine_state.importlib.metadata, "version", lambda name: old.get(name) or real(name))
    states = {state.name: state for state in machine_state.libraries()}
    assert (states["ray"].status, states["ray"].found) == ("error", "2.40.0")
    assert states["ray"].advice.startswith("CAMpaign needs ray<2.61,>=2.60")
    assert states["torch"].status == "ok"


def test_missing_library_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_state, "LIBRARIES", ("no-such-library",))
    assert only(machine_state.libraries()) == State(
        "no-such-library", "error", "not installed", "make setup installs it"
    )


def test_torchvision_without_its_operators_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    def missing(*_: Any) -> None:
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(torchvision.ops, "nms", missing)
    state = only(machine_state.operators())
    assert (state.status, state.found) == ("error", "torchvision.ops.nms: operator torchvision::nms does not exist")


def test_more_threads_than_cores_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(machine_state, "QUOTA", quota)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    quota.write_text("100000 100000\n", encoding="ascii")
    state = only(machine_state.cores())
    assert state.status == "warning"
    assert "export OMP_NUM_THREADS=1" in state.advice
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    quota.write_text("max 100000\n", encoding="ascii")
    assert only(machine_state.cores()).status == "ok"


def test_small_shared_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine_state, "MIN_SHM_GIB", 1e9)
    assert "--shm-size=" in only(machine_state.shared_memory()).advice
    monkeypatch.setattr(machine_state, "SHM", tmp_path / "none")
    assert only(machine_state.shared_memory()).status == "warning"


@pytest.mark.parametrize(("minimum", "low", "status"), [(1e9, 1e9, "error"), (0, 1e9, "warning"), (0, 0, "ok")])
def test_full_disk_is_a_warning_or_an_error(
    minimum: float, low: float, status: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine_state, "MIN_DISK_GIB", minimum)
    monkeypatch.setattr(machine_state, "LOW_DISK_GIB", low)
    assert only(machine_state.storage(tmp_path)).status == status


def test_storage_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    state = only(machine_state.storage(tmp_path / "file" / "storage"))
    assert (state.status, "Not a directory" in state.found) == ("error", True)


def test_storage_without_working_locks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_state.fcntl, "flock", lambda *_: None)
    state = only(machine_state.storage(tmp_path))
    assert (state.status, "two processes can lock the same file" in state.found) == ("error", True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_storage_and_data_without_permission_are_errors(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    assert only(machine_state.storage(closed)).status == "error"
    assert only(machine_state.data_root(closed)).status == "error"


def test_empty_data_folder_is_an_error(tmp_path: Path) -> None:
    assert "contains no file" in only(machine_state.data_root(tmp_path)).found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")
def test_store_must_answer(tmp_path: Path) -> None:
    assert "does not exist yet; the first run creates it" in only(services.tracking(tmp_path, None)).found
    ensure_experiment(resolve_store(tmp_path), "first")
    assert only(services.tracking(tmp_path, None)).found == f"sqlite:///{tmp_path}/mlflow.db answers"
    (tmp_path / "mlflow.db").write_bytes(b"rubbish" * 1000)
    assert only(services.tracking(tmp_path, None)).status == "error"


def test_server_and_cluster_that_do_not_answer_are_errors(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    state = only(services.tracking(tmp_path, f"http://{address}"))
    assert (state.status, state.advice) == ("error", "start the server, or choose another store: --tracking-uri")
    for form in (address, f"ray://{address}"):
        state = only(services.ray(form))
        assert (state.status, state.found.startswith(f"the Ray cluster at {form} does not answer (")) == ("error", True)


def test_cluster_without_the_driver_resource_is_a_warning() -> None:
    (state,) = services._offered({"CPU": 8.0, "GPU": 1.0}, is_cluster=True)
    assert (state.status, state.found) == ("warning", "8 CPU, 1 GPU, 0 driver")
    assert """--resources='{"driver": 1}'""" in state.advice
    (state,) = services._offered({"CPU": 8.0}, is_cluster=False)
    assert state.status == "ok"


def in_a_process_of_its_own(script: str) -> str:
    """Run Python code and return what it printed: Ray's processes outlive the objects that stand for them."""
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=ROOT, check=True
    )
    return done.stdout


@pytest.mark.ray
@pytest.mark.slow
def test_ray_starts_here() -> None:
    out = in_a_process_of_its_own("from orchestrator.doctor import services\nprint(*services.ray(None))")
    assert out.startswith("ok      ray"), out
    assert out.endswith("1 driver\n")


@pytest.mark.ray
@pytest.mark.slow
def test_cluster_says_what_it_offers() -> None:
    out = in_a_process_of_its_own("""
from ray.cluster_utils import Cluster
from orchestrator.doctor import services
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "resources": {"driver": 1}})
cluster.add_node(num_cpus=3)
print(*services.ray(cluster.address))
cluster.shutdown()
""")
    assert "ok      ray         3 CPU, 0 GPU, 1 driver\n" in out, out
