"""Checks of the tracking store and of Ray."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.doctor import services
from orchestrator.tracking import ensure_experiment, resolve_store
from tests.orchestrator.doctor.states import only

ROOT = Path(__file__).resolve().parents[3]


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
