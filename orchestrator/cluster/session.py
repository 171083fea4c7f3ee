"""A connection to Ray: the cluster named by the user or the environment, or one started on this machine."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from orchestrator.cluster.autoscaling import with_autoscaling
from orchestrator.cluster.capacity import Node
from orchestrator.cluster.connection import connection_error, first_line
from orchestrator.cluster.leftovers import remove_leftovers
from orchestrator.cluster.nodes import resources_of_nodes
from orchestrator.cluster_file.driver_resource import DRIVER

logger = logging.getLogger(__name__)

ENVIRONMENT = {
    # A report waits for this poll; Ray's default of 2 s costs 1.6 s per epoch.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    # A week: a trial waits until a lost node is replaced or another trial ends. That it fits at all is checked before.
    # With Ray's default it would fail after 60 s and three retries.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "604800",
    # Tune prints nothing and writes no logs or snapshots of its own: a trial's folder has all of its files.
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    # A goal that only the final evaluation reports is missing until then.
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # A stop signal is the command's own business, and so is what it says of a trial that failed.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    # Workers keep the driver's working directory.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Tune runs each trial in a new thread of one process. With glibc's default, 8 heaps a core, trials would fill one
    # heap after another: 300 MB more after 60 trials.
    "MALLOC_ARENA_MAX": "2",
}


@contextmanager
def nodes_to_use(address: str | None = None) -> Iterator[list[Node]]:
    """Connect to the cluster at `address` and yield the resources of its nodes; without an address, of this machine.

    Ray is not started on this machine; in a container it may count fewer CPUs.
    """
    if address:
        with ray_session(address) as nodes:
            yield nodes
        return
    import torch

    yield [{"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count()), DRIVER: 1.0}]


@contextmanager
def ray_session(address: str | None = None) -> Iterator[list[Node]]:
    """Connect to Ray, yield the resources of each node that runs or that its autoscaler may add, and disconnect.

    Within another session it yields the nodes of that one, which goes on. What Ray prints goes to standard error.

    Args:
        address: A cluster's address; left out, that of `RAY_ADDRESS`, or else a new Ray on this machine.

    Raises:
        ConnectionError: The cluster does not answer, or Ray does not start on this machine.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    address = address or os.environ.get("RAY_ADDRESS")
    if ray.is_initialized():
        yield _nodes(address)
        return
    with redirect_stdout(sys.stderr):  # On standard output, Ray's news of a dead process would stand among results.
        try:
            with signal_handlers_kept():
                _connect(address)
            if address:
                remove_leftovers()
            yield _nodes(address)
        finally:
            ray.shutdown()


def _nodes(address: str | None) -> list[Node]:
    nodes = resources_of_nodes()
    return with_autoscaling(nodes) if address else nodes


@contextmanager
def signal_handlers_kept() -> Iterator[None]:
    """Bring back the handlers that Ray replaces: with its own, SIGTERM ends a driver with a dump of its stack."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    missed = None
    try:
        yield
    except SystemExit as end:  # Ray's answer to a SIGTERM, with its number.
        missed = end.code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if isinstance(missed, int):
        signal.raise_signal(missed)


def _connect(address: str | None) -> None:
    import ray

    if address:
        _check_answers(address)
    options: dict[str, Any] = {"runtime_env": {"env_vars": ENVIRONMENT}}
    if not address:  # Its processes inherit this one's environment, and are there sooner without one of their own.
        options = {"include_dashboard": False, "resources": {DRIVER: 1.0}}
    try:
        ray.init(
            address=address or "local",
            logging_level=logging.ERROR,
            log_to_driver=False,
            **options,
        )
    except Exception as error:  # Ray raises plain exceptions where a node does not come up in time.
        logger.debug("ray.init failed", exc_info=True)
        reason = first_line(error)
        if not address and "AF_UNIX path length" in reason:
            raise ConnectionError(
                f"Ray did not start on this machine, since the paths of its sockets are too long ({reason}): set "
                "RAY_TMPDIR to a shorter folder, such as /tmp"
            ) from error
        raise ConnectionError(
            f"the Ray cluster at {address} does not answer ({reason}); check --address and RAY_ADDRESS"
            if address
            else f"Ray did not start on this machine ({reason}); it may be too busy, or lack memory or disk: try "
            "again, or name a running cluster with --address"
        ) from error


def _check_answers(address: str) -> None:
    """Raise ConnectionError unless it is an address of Ray's and something listens there."""
    if address.startswith(("http://", "https://")):
        raise ConnectionError(
            f"the Ray cluster at {address}: that is the URL of a dashboard, to which `campaign submit` sends commands; "
            "give HOST:6379, ray://HOST:10001, or auto on a node of the cluster as --address or RAY_ADDRESS"
        )
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    if error := connection_error(host, int(port)):
        raise ConnectionError(
            f"the Ray cluster at {address} does not answer ({error}); check --address and RAY_ADDRESS"
        ) from error
