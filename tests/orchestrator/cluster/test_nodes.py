"""What every node of a cluster must see."""

from pathlib import Path

import pytest

from orchestrator.cluster.nodes import check_nodes, check_reachable, read_marker
from orchestrator.cluster_file.driver_resource import DRIVER
from orchestrator.tracking import resolve_store
from trainables.config import ConfigError

TWO = {"10.0.0.1", "10.0.0.2"}


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (None, "sqlite:///"),
        ("sqlite:////shared/mlflow.db", "sqlite:////shared/mlflow.db"),
        ("postgresql://me:secret@db/mlflow", r"postgresql://me:\*\*\*@db/mlflow"),
    ],
)
def test_several_nodes_log_over_http_only(uri: str | None, shown: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"MLflow store {shown}.*: several nodes can only log over HTTP; start"):
        check_reachable(resolve_store(tmp_path, uri), TWO)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "127.1.2.3", "127.1", "0x7f.1", "2130706433"),
        *("0.0.0.0", "0", "[::]", "[::ffff:127.0.0.1]"),
    ],
)
def test_address_of_each_node_itself_is_refused(host: str, tmp_path: Path) -> None:
    store = resolve_store(tmp_path, f"http://{host}:5000")
    with pytest.raises(ConfigError, match=r"on 10\.0\.0\.1, 10\.0\.0\.2 this address is the node itself"):
        check_reachable(store, TWO)
    with pytest.raises(ConfigError, match=r"on 10\.0\.0\.1 and added nodes this address is the node itself"):
        check_reachable(store, {"10.0.0.1"}, more=True)
    check_reachable(store, {"10.0.0.1"})  # nodes on one machine


@pytest.mark.parametrize("uri", ["http://10.0.0.1:5000", "https://mlflow.lab.org", "http://head:5000"])
def test_server_of_another_machine_is_accepted(uri: str, tmp_path: Path) -> None:
    check_reachable(resolve_store(tmp_path, uri), TWO, more=True)


@pytest.mark.ray
@pytest.mark.slow
def test_head_whose_workers_are_not_running_yet_is_not_the_only_node(tmp_path: Path) -> None:
    import ray

    here, elsewhere = (resolve_store(tmp_path, f"http://{host}:5000") for host in ("127.0.0.1", "10.0.0.1"))
    worker = {"CPU": 8.0, "GPU": 1.0}
    for head in ({"CPU": 0.0, DRIVER: 1.0}, {"CPU": 1.0, DRIVER: 1.0}):
        ray.init("local", num_cpus=int(head["CPU"]), include_dashboard=False, log_to_driver=False)
        try:
            with pytest.raises(ConfigError, match="and added nodes this address is the node itself"):
                check_nodes(tmp_path, here, [head, worker])
            check_nodes(tmp_path, elsewhere, [head, worker])
            if head["CPU"]:
                check_nodes(tmp_path, here, [head])
            else:
                with pytest.raises(ConfigError, match="and added nodes this address is the node itself"):
                    check_nodes(tmp_path, here, [head])
        finally:
            ray.shutdown()


def test_marker_is_read_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "marker").write_text("seen", encoding="utf-8")
    assert read_marker(tmp_path / "marker") == "seen"
    assert [path.name for path in tmp_path.iterdir()] == ["marker"]


def test_missing_marker_says_why(tmp_path: Path) -> None:
    assert read_marker(tmp_path / "absent").startswith("FileNotFoundError: [Errno 2] No such file or directory")
