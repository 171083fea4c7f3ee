"""What the doctor asks of others: the tracking store, and Ray."""

import socket
from collections.abc import Iterator
from pathlib import Path

from orchestrator.cluster_file.driver_resource import DRIVER
from orchestrator.doctor.machine_state import State
from orchestrator.tracking import StoreError, connect, resolve_store
from orchestrator.tracking.store import store_errors
from trainables.config import ConfigError

ANSWER_S = 3.0


class RayDownError(RuntimeError):
    """Ray cannot be started, or does not answer."""


def tracking(storage: Path, tracking_uri: str | None) -> Iterator[State]:
    """Ask the store for an experiment; a database that is not there yet is made by the first sweep."""
    try:
        store = resolve_store(storage, tracking_uri)
    except ConfigError as error:
        yield State("tracking", "error", str(error))
        return
    if store.sqlite_file is not None and not store.sqlite_file.exists():
        yield State("tracking", "ok", f"{store} is not there yet; the first run makes it")
        return
    try:
        with store_errors(store):
            connect(store).search_experiments(max_results=1)
    except StoreError as error:
        yield State("tracking", "error", str(error), "start the server, or give another store: --tracking-uri")
        return
    yield State("tracking", "ok", f"{store} answers")


def ray(address: str | None) -> Iterator[State]:
    """Start Ray here, or connect to the cluster at `address`, and look at what it offers."""
    if unanswered := _unanswered(address):
        yield State("ray", "error", unanswered, "give the address of a running cluster, as in ray status --address")
        return
    try:
        available = _resources(address)
    except RayDownError as error:
        advice = (
            "versions and the token (RAY_AUTH_MODE=token) must be those of the cluster"
            if address
            else "look at /tmp/ray/session_latest/logs, and at what else this machine does"
        )
        yield State("ray", "error", str(error), advice)
    else:
        yield from _offered(available, is_cluster=address is not None)


def _resources(address: str | None) -> dict[str, float]:
    """Return what the cluster's nodes offer together; RayDownError says why it cannot be asked."""
    from orchestrator.cluster.capacity import total_of
    from orchestrator.cluster.session import ray_session

    try:
        with ray_session(address) as nodes:
            return total_of(nodes)
    except Exception as error:  # Ray raises its own, the operating system's, and plain exceptions
        raise RayDownError((str(error).strip() or type(error).__name__).splitlines()[0]) from error


def _unanswered(address: str | None) -> str | None:
    """Return why nothing is at HOST:PORT, before Ray asks for a minute; None for other forms, and where there is."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return None
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except OSError as error:
        return f"{address} does not answer: {error}"
    return None


def _offered(available: dict[str, float], *, is_cluster: bool) -> Iterator[State]:
    shown = ", ".join(f"{available.get(name, 0):g} {name}" for name in ("CPU", "GPU", DRIVER))
    if is_cluster and not available.get(DRIVER):
        advice = f"""drivers of trials take CPUs from workers: start the head with --resources='{{"{DRIVER}": 1}}'"""
        yield State("ray", "warning", shown, advice)
    else:
        yield State("ray", "ok", shown)
