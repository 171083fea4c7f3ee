"""Runs an MLflow server: prepares its database, starts its processes, waits for its answer and ends them."""

import ctypes
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from orchestrator.tracking.store import Store, StoreError, as_store_error, check_answers, migration_lock
from trainables.config import ConfigError

START_WAIT_S = 180.0
STOP_WAIT_S = 10.0
QUIET = ("--uvicorn-opts=--log-level=warning",)
"""Log no line for each request."""
EVERYWHERE = ("0.0.0.0", "::")
"""Hosts with which a server listens on all addresses of its machine."""
PR_SET_PDEATHSIG = 1

WITHOUT_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Environment of a server without jobs, which evaluate language models in processes of their own."""


@dataclass(frozen=True, slots=True)
class TrackingServer:
    """An MLflow server over a database; clients send artifacts through it too."""

    store: Store
    artifacts: str
    """Folder, or address of an object store, that holds the artifacts."""
    host: str
    port: int
    names: tuple[str, ...] = ()
    """More names by which clients may call it, besides localhost, private addresses and the host of `uri`."""

    @property
    def uri(self) -> str:
        """The address for clients; a server on all addresses gives the one by which other machines reach this one."""
        return self._url(_own_address() if self.host in EVERYWHERE else self.host)

    @property
    def is_open(self) -> bool:
        """Whether other machines may reach it."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Start the server and yield its process once it answers; end all its processes afterwards.

        Raises:
            ConfigError: It cannot listen there.
            StoreError: The database cannot be opened, or the server does not answer.
        """
        check_port(self.host, self.port)
        prepare_database(self.store)
        process = subprocess.Popen(
            self._command(),
            env={**os.environ, **self._environment()},
            stdout=sys.stderr,  # Standard output is for the server's address.
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        try:
            self._await_answer(process)
            yield process
        finally:
            _end_group(process)

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "mlflow", "server", "--artifacts-destination", self.artifacts]
        workers = 1 if self.store.sqlite_file else 4
        return [*command, "--host", self.host, "--port", str(self.port), "--workers", str(workers), *QUIET]

    def _environment(self) -> dict[str, str]:
        """Return the settings that may hold passwords: `ps` does not show a process's environment."""
        return {
            "MLFLOW_BACKEND_STORE_URI": self.store.tracking_uri,
            **WITHOUT_JOBS,
            **self._let_in(),
        }

    def _let_in(self) -> dict[str, str]:
        """Return the host names that MLflow accepts in calls, and in the origins of pages that change something.

        MLflow's default is localhost and, only for calls, private networks; the host of `uri` is not among them.
        """
        from mlflow.server.security_utils import (
            get_allowed_hosts_from_env,
            get_allowed_origins_from_env,
            get_default_allowed_hosts,
        )

        names = [*self.names, urlsplit(self.uri).netloc.rpartition(":")[0]]
        hosts = [form for name in names for form in (name, f"{name}:{self.port}")]
        accepted = [*(get_allowed_hosts_from_env() or get_default_allowed_hosts()), *hosts]
        pages = [*(get_allowed_origins_from_env() or ()), *(f"http://{host}" for host in hosts)]
        return {
            "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(accepted),
            "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(pages),
        }

    def _await_answer(self, process: "subprocess.Popen[bytes]") -> None:
        here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        deadline = time.monotonic() + START_WAIT_S
        while not _answers(self._url(here)):
            if process.poll() is not None:
                raise StoreError(f"MLflow server: it ended with exit code {process.returncode}; it says why above")
            if time.monotonic() > deadline:
                raise StoreError(f"MLflow server: no answer at {self._url(here)} within {START_WAIT_S:.0f} s")
            time.sleep(0.2)

    def _url(self, host: str) -> str:
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def prepare_database(store: Store) -> None:
    """Create the database or migrate it to this version of MLflow, in one process: several at once would crash.

    Raises:
        StoreError: The database cannot be opened.
    """
    with as_store_error(store), migration_lock(store):
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        check_answers(store, create=True)
        SqlAlchemyStore(store.tracking_uri, "mlflow-artifacts:/").engine.dispose()  # type: ignore[no-untyped-call]


def check_port(host: str, port: int) -> None:
    """Check that a server can listen at `host` and `port`; ConfigError says why it cannot."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on --host {host} --port {port}: {error.strerror}; give another --port, or a --host that "
            "is an address of this machine"
        ) from error


def artifacts_of(storage: Path, destination: str | None) -> str:
    """Return where a server stores artifacts: `destination` (a folder made absolute), or by default the storage."""
    if destination is None:
        return str(storage.expanduser().absolute() / "artifacts")
    return destination if "://" in destination else str(Path(destination).expanduser().absolute())


def _answers(url: str) -> bool:
    directly = build_opener(ProxyHandler({}))  # To a proxy, 127.0.0.1 is the proxy itself.
    try:
        with directly.open(f"{url}/health", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _own_address() -> str:
    """Return the address from which this machine would reach others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """Ask the server's processes to end, and kill what is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(STOP_WAIT_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _end_with_parent() -> None:
    """Have the kernel end the server when the command that runs it is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
