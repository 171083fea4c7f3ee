"""The nodes of a cluster: their resources, and whether each sees the storage folder and the MLflow store."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestrator.cluster.capacity import Node
from orchestrator.cluster.loopback import is_loopback
from orchestrator.tracking import Store
from trainables.config import ConfigError

MARKER_WAIT_S = 120.0
"""Time for a node to start a process and read the marker file."""


def resources_of_nodes() -> list[Node]:
    """Return the resources of each living node of the connected cluster."""
    return [node["Resources"] for node in _living_nodes()]


def check_nodes(storage: Path, store: Store, nodes: Sequence[Node]) -> None:
    """Check that every node of the connected cluster sees `storage` and can log to `store`.

    Args:
        nodes: The resources of each node, also of those that the autoscaler may add.

    Raises:
        ConfigError: A node does not; the message names it.
    """
    running = _living_nodes()
    more = len(nodes) > len(running) or not any(node["Resources"].get("CPU") for node in running)
    if len(running) > 1 or more:
        check_reachable(store, {node["NodeManagerAddress"] for node in running}, more=more)
        check_shared(storage)


def check_reachable(store: Store, addresses: set[str], *, more: bool = False) -> None:
    """Check that nodes at `addresses` can log to `store`: over HTTP, and not at a loopback address.

    Args:
        more: Whether the cluster will add nodes at other addresses.

    Raises:
        ConfigError: They cannot.
    """
    remedy = (
        "start a server on a machine that all nodes reach with `campaign tracking serve --host ADDRESS`, and give its "
        "--tracking-uri http://ADDRESS:5000"
    )
    if store.is_database:
        raise ConfigError(f"MLflow store {store}: several nodes can only log over HTTP; {remedy}")
    host = urlsplit(store.tracking_uri).hostname or ""
    if is_loopback(host) and (len(addresses) > 1 or more):
        nodes = ", ".join(sorted(addresses)) + (" and added nodes" if more else "")
        raise ConfigError(f"MLflow store {store}: on {nodes} this address is the node itself; {remedy}")


def check_shared(storage: Path) -> None:
    """Check that every node of the connected cluster reads a file that is written here, and can write next to it.

    Raises:
        ConfigError: A node does not; the message names it.
    """
    import ray

    nodes = _living_nodes()
    storage.mkdir(parents=True, exist_ok=True)
    marker, text = storage / f".seen-by-all-nodes-{secrets.token_hex(4)}", secrets.token_hex(16)
    marker.write_text(text, encoding="utf-8")
    here = ray.get_runtime_context().get_node_id()
    try:
        tasks = {node["NodeID"]: _read_on(node["NodeID"], marker) for node in nodes if node["NodeID"] != here}
        ray.wait(list(tasks.values()), num_returns=len(tasks), timeout=MARKER_WAIT_S)
        for node in nodes:
            if node["NodeID"] in tasks:
                name = f"node {node['NodeManagerAddress']} ({node['NodeID'][:8]})"
                _check_text(tasks[node["NodeID"]], text, storage, name)
    finally:
        marker.unlink(missing_ok=True)


def _read_on(node_id: str, marker: Path) -> Any:
    """Start a task on the node that reads the marker."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    on_node = NodeAffinitySchedulingStrategy(node_id, soft=False)
    task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=on_node)(read_marker)
    return task.remote(marker)


def read_marker(path: Path) -> str:
    """Return the text of the file, or why the file cannot be read or its folder cannot be written to."""
    written = path.with_name(f"{path.name}-{secrets.token_hex(4)}")
    try:
        text = path.read_text(encoding="utf-8")
        written.touch()
        written.unlink()
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    return text


def _check_text(task: Any, text: str, storage: Path, node: str) -> None:
    import ray

    try:
        answer = ray.get(task, timeout=0)
    except ray.exceptions.GetTimeoutError as error:
        raise ConfigError(
            f"{node} did not start a process within {MARKER_WAIT_S:.0f} s to read a file in {storage}; see `ray status`"
        ) from error
    except ray.exceptions.RayError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise ConfigError(
            f"{node} cannot run CAMpaign: {reason}; install the same version with the same Python on all nodes"
        ) from error
    if answer != text:
        raise ConfigError(
            f"{node} does not share the storage folder {storage} ({answer}): give a --storage on a file system that "
            "all nodes mount at the same path and can write to"
        )


def _living_nodes() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]
