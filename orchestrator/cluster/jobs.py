"""Campaign commands as Ray jobs: submitted, followed and stopped over the cluster's dashboard."""

import asyncio
import logging
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestrator.cluster.connection import CONNECT_TIMEOUT_S, connection_error, first_line
from orchestrator.cluster.environment import variable
from orchestrator.cluster_file.driver_resource import DRIVER, DRIVER_SHARE
from trainables.config import ConfigError

logger = logging.getLogger(__name__)

ADDRESS = "RAY_API_SERVER_ADDRESS"
"""Ray prefers this variable to the address in a call."""
STOP_WAIT_S = 90
"""Time for a stopped command to save its state, before Ray kills it."""
RECONNECT_WAIT_S = 2.0
MAX_FAILURES = 10
NOT_COPIED = [".git", ".venv", "campaign-data", "__pycache__"]
ENTRYPOINT_NOT_FOUND = 127
"""The shell's exit code for an unknown command."""


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A campaign command to run on a cluster."""

    command: tuple[str, ...]
    """Without the leading `campaign`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: Path | None = None
    """Folder to copy to the cluster and to run in; None runs what is installed there."""

    @property
    def entrypoint(self) -> str:
        return shlex.join(["campaign", *self.command])

    def runtime_env(self) -> dict[str, Any]:
        """Return Ray's runtime environment of the command; stopping the job interrupts the command like Ctrl-C."""
        stop = {"RAY_JOB_STOP_SIGNAL": "SIGINT", "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S)}
        copied = {"working_dir": str(self.working_dir), "excludes": NOT_COPIED} if self.working_dir else {}
        return {"env_vars": {**stop, **self.environment}, **copied}


@dataclass(frozen=True, slots=True)
class JobState:
    """The state of a job; `exit_code` is None until its command has ended, or where it never started."""

    job_id: str
    status: str
    entrypoint: str
    exit_code: int | None
    message: str

    @property
    def has_ended(self) -> bool:
        return self.status in ("STOPPED", "SUCCEEDED", "FAILED")


class Jobs:
    """The jobs of one cluster.

    Every method raises ConfigError if the cluster does not answer, refuses the token or has no such job.
    """

    def __init__(self, address: str | None = None) -> None:
        """Connect to the dashboard at `address`; by default to that of the environment, or of a Ray on this machine."""
        self._given_address = address or os.environ.get(ADDRESS) or os.environ.get("RAY_ADDRESS")
        _check_listens(self._given_address)
        with self._cluster_errors(), variable(ADDRESS, self._given_address):
            from ray.job_submission import JobSubmissionClient

            logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.WARNING)  # It logs each connection.
            self._client = JobSubmissionClient(self._given_address)
        self.address = str(self._client.get_address())

    def submit(self, order: JobOrder) -> str:
        """Start the command and return the job's id."""
        with self._cluster_errors(), variable(ADDRESS, self.address):
            resources = {DRIVER: DRIVER_SHARE} if self._has_driver_resource() else None
            job_id: str = self._client.submit_job(
                entrypoint=order.entrypoint, runtime_env=order.runtime_env(), entrypoint_resources=resources
            )
        return job_id

    def state(self, job_id: str) -> JobState:
        with self._cluster_errors(job_id):
            info = self._client.get_job_info(job_id)
        # A failed command's message ends with the last lines of its output, which --logs shows in full.
        message = (info.message or "").partition(", last available logs")[0]
        return JobState(job_id, str(info.status), info.entrypoint, info.driver_exit_code, message)

    def follow(self, job_id: str, write: Callable[[str], object]) -> JobState:
        """Pass all of the job's output to `write`, from its start, and return its last state.

        A broken connection is made again; MAX_FAILURES in a row are an error.
        """
        self.state(job_id)  # A job that does not exist is an error at once.
        seen = failures = 0
        while True:
            with self._cluster_errors(job_id):
                seen = asyncio.run(self._tail(job_id, seen, write))
            try:
                state = self.state(job_id)
            except ConfigError:
                failures += 1
                if failures == MAX_FAILURES:
                    raise
            else:
                failures = 0
                if state.has_ended:
                    return state
            time.sleep(RECONNECT_WAIT_S)

    def stop(self, job_id: str) -> JobState:
        """Interrupt the job's command, wait until it has ended and return its state."""
        with self._cluster_errors(job_id):
            self._client.stop_job(job_id)
        deadline = time.monotonic() + STOP_WAIT_S + CONNECT_TIMEOUT_S
        while not (state := self.state(job_id)).has_ended and time.monotonic() < deadline:
            time.sleep(0.5)
        return state

    async def _tail(self, job_id: str, seen: int, write: Callable[[str], object]) -> int:
        """Write what follows the first `seen` characters; return their number when the connection ends."""
        from aiohttp import ClientError

        passed = 0
        try:
            async for text in self._client.tail_job_logs(job_id):
                write(text[max(0, seen - passed) :])
                passed += len(text)
        except (ClientError, ConnectionError, RuntimeError) as error:
            logger.info("job %s: reconnecting to its output: %s", job_id, error)
        return max(seen, passed)

    def _has_driver_resource(self) -> bool:
        from ray.util.state import list_nodes

        # Ray reports dead nodes as missing output.
        nodes = list_nodes(self.address, filters=[("state", "=", "ALIVE")], detail=True, raise_on_missing_output=False)
        return any(node.resources_total.get(DRIVER) for node in nodes)

    @contextmanager
    def _cluster_errors(self, job_id: str | None = None) -> Iterator[None]:
        """Raise ConfigError for errors of Ray and of the connection."""
        from ray.exceptions import AuthenticationError, RpcError
        from ray.util.state.exception import RayStateApiException

        where = self._given_address or "this machine"
        try:
            yield
        except AuthenticationError as error:
            raise ConfigError(
                f"the cluster at {where} refuses the token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or "
                f"RAY_AUTH_TOKEN_PATH to the cluster's token ({first_line(error)})"
            ) from error
        except (ConnectionError, RpcError) as error:
            raise ConfigError(_no_dashboard(where)) from error
        except (RayStateApiException, RuntimeError, ValueError, LookupError, OSError) as error:
            if job_id and "does not exist" in str(error):
                raise ConfigError(f"no job {job_id} at {where}; see `ray job list`") from error
            if job_id is None and not hasattr(self, "address"):
                raise ConfigError(
                    f"{where} answers, but is no Ray dashboard ({first_line(error)}); the dashboard's port is 8265"
                ) from error
            raise ConfigError(f"the cluster at {where}: {first_line(error)}") from error


def _check_listens(address: str | None) -> None:
    """Check that the address is a URL, and that something listens there."""
    if not address or address == "auto":
        return
    try:
        url = urlsplit(address if "://" in address else f"//{address}")
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError as error:
        raise ConfigError(f"--address {address}: {error}; expected http://HOST:8265") from error
    if url.scheme not in ("http", "https") or not url.hostname:
        host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or "HOST"
        raise ConfigError(
            f"--address {address} is no URL; jobs need the URL of the cluster's dashboard: give --address, or "
            f"RAY_API_SERVER_ADDRESS, http://{host}:8265"
        )
    if unreachable := connection_error(url.hostname, port):
        raise ConfigError(_no_dashboard(address)) from unreachable


def _no_dashboard(where: str) -> str:
    return (
        f"no Ray dashboard answers at {where}: give its URL as --address or RAY_API_SERVER_ADDRESS, such as "
        "http://127.0.0.1:8265 while `ray dashboard cluster.yaml` or `ssh -L 8265:127.0.0.1:8265 HEAD` runs"
    )
