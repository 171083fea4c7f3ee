"""Checks of the tracking store, and of Ray."""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.cluster_file.driver_resource import DRIVER
from orchestrator.doctor.machine_state import State
from orchestrator.tracking import StoreError, connect, resolve_store
from orchestrator.tracking.store import store_errors
from trainables.config import ConfigError


def tracking(storage: Path, tracking_uri: str | None) -> Iterator[State]:
    """Ask the store for an experiment; a database that does not exist yet is no error."""
    try:
        store = resolve_store(storage, tracking_uri)
    except ConfigError as error:
        yield State("tracking", "error", str(error))
        return
    if store.sqlite_file is not None and not store.sqlite_file.exists():
        yield State("tracking", "ok", f"{store} does not exist yet; the first run creates it")
        return
    try:
        with store_errors(store):
            connect(store).search_experiments(max_results=1)
    except StoreError as error:
        yield State("tracking", "error", str(error), "start the server, or choose another store: --tracking-uri")
        return
    yield State("tracking", "ok", f"{store} answers")


def ray(address: str | None) -> Iterator[State]:
    """Start Ray on this machine, or connect to the cluster at `address`, and check what it offers."""
    from orchestrator.cluster.capacity import total_of
    from orchestrator.cluster.session import ray_session

    try:
        with ray_session(address) as nodes:
            available = total_of(nodes)
    except (ConnectionError, ConfigError) as error:
        advice = (
            "Ray, Python and the token (RAY_AUTH_MODE=token) must be those of the cluster"
            if address
            else "the logs in /tmp/ray/session_latest/logs say more"
        )
        yield State("ray", "error", str(error), advice)
    else:
        yield from _offered(available, is_cluster=address is not None)


def _offered(available: dict[str, float], *, is_cluster: bool) -> Iterator[State]:
    shown = ", ".join(f"{available.get(name, 0):g} {name}" for name in ("CPU", "GPU", DRIVER))
    if is_cluster and not available.get(DRIVER):
        advice = f"""drivers of trials take CPUs from workers: start the head with --resources='{{"{DRIVER}": 1}}'"""
        yield State("ray", "warning", shown, advice)
    else:
        yield State("ray", "ok", shown)
