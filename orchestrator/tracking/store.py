"""The MLflow store, its experiment and its client, and what to do while it does not answer."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from orchestrator.files.passwords import without_passwords
from orchestrator.tracking.database import check_driver, check_server, unlocked
from orchestrator.tracking.moved_storage import follow_artifacts
from trainables.config import ConfigError

logger = logging.getLogger(__name__)

SQLITE = "sqlite:///"
RESERVED = "?#%"
"""What separates and encodes the parts of an address."""
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
LOCK_WAIT_S = 2.0
FIRST_LOCK_WAIT_S = 10.0
"""How long a command waits at its start for other processes that write to the sqlite database."""
MIGRATION_WAIT_S = 120.0
"""How long it waits for one that makes the database ready."""
CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's defaults (120 s, 7 retries) would stall training for minutes; a later push is the retry.

MLflow repeats no request by itself, so that a slow `create run` cannot make two runs. It prints no link at the end of
a run: standard output belongs to the commands.
"""
TRAINING_PAGES = {"mlflow.experimentKind": "custom_model_development"}
"""The tag by which MLflow opens an experiment on its pages for training rather than on those for language models."""


class StoreError(RuntimeError):
    """The MLflow store cannot be used; the message says which, and why."""


@dataclass(frozen=True)
class Store:
    """An MLflow tracking store; `artifact_location` is None where the server chooses it."""

    tracking_uri: str
    artifact_location: str | None = None

    def __str__(self) -> str:
        """Return the address without its password."""
        return without_passwords(self.tracking_uri)

    @property
    def is_database(self) -> bool:
        """Whether clients open the database themselves, rather than ask a server."""
        return self.tracking_uri.partition("://")[0].partition("+")[0] in DATABASES

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file, or None if the store is no sqlite database."""
        return Path(self.tracking_uri.removeprefix(SQLITE)) if self.tracking_uri.startswith(SQLITE) else None

    @property
    def is_in_storage(self) -> bool:
        """Whether the database lies next to its artifacts, and is moved with them."""
        return self.sqlite_file is not None and self.artifact_location == _next_to(self.sqlite_file)


def resolve_store(storage: Path, tracking_uri: str | None = None) -> Store:
    """Return the store at `tracking_uri`, or by default the sqlite database `<storage>/mlflow.db`.

    With a database, artifacts lie in `<storage>/artifacts`: MLflow's own choice would be the working directory of
    whoever makes the experiment. A server chooses for itself.
    """
    storage = storage.expanduser().absolute()
    _check_characters("--storage", storage)
    uri = tracking_uri or f"{SQLITE}{storage / 'mlflow.db'}"
    if uri.startswith("file:") or "://" not in uri:
        raise ConfigError(
            f"tracking URI {uri!r}: MLflow no longer tracks runs in plain folders; "
            "give http(s)://HOST:PORT, sqlite:////ABSOLUTE/FILE.db or postgresql://..., or leave it out"
        )
    if uri.startswith("sqlite"):
        uri = f"{SQLITE}{_sqlite_file(uri)}"
    store = Store(uri)
    if store.is_database and store.sqlite_file is None:
        check_driver(uri)
    return replace(store, artifact_location=(storage / "artifacts").as_uri()) if store.is_database else store


def _sqlite_file(uri: str) -> Path:
    """Return the file of a sqlite database, absolute; ConfigError if it cannot be one."""
    expected = f"give {SQLITE}/ABSOLUTE/FILE.db"
    if not uri.removeprefix(SQLITE) or not uri.startswith(SQLITE):
        raise ConfigError(f"tracking URI {uri}: it names no file; {expected}")
    file = Path(uri.removeprefix(SQLITE)).absolute()
    _check_characters("tracking URI", file)
    if file.is_dir():
        raise ConfigError(f"tracking URI {uri}: this is a folder; {expected}")
    return file


def _check_characters(what: str, path: Path) -> None:
    """Check a path that becomes part of an address; ConfigError names the characters that would end or change it."""
    found = [character for character in RESERVED if character in str(path)]
    if found:
        raise ConfigError(f"{what} {path}: MLflow cannot use a path with {' or '.join(found)}; choose another one")


def _next_to(sqlite_file: Path) -> str:
    return (sqlite_file.parent / "artifacts").as_uri()


def check_store(store: Store) -> None:
    """Check that the store can be used, and make nothing.

    Raises:
        StoreError: It does not answer, or its database can be neither opened nor made.
    """
    with as_store_error(store), client_settings():
        if store.sqlite_file is None or store.sqlite_file.exists():
            check_answers(store, create=True)
        else:
            _check_writable(store.sqlite_file.parent)
        if not store.is_database:
            connect(store).search_experiments(max_results=1)


def _check_writable(folder: Path) -> None:
    """Check that a file can be made in a folder that may be missing itself."""
    place = next(place for place in (folder, *folder.parents) if place.exists())
    if not place.is_dir():
        raise NotADirectoryError(f"{place} is a file; expected a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"no permission to write in {place}")


def ensure_experiment(store: Store, name: str) -> str:
    """Create the database and the experiment `name` where they are missing, and return the experiment's id.

    Only the driver calls this. An experiment that lies in MLflow's trash is restored, with its runs.

    Raises:
        StoreError: if the store cannot be reached or made.
    """
    with as_store_error(store), migration_lock(store), client_settings():
        check_answers(store, create=True)
        return _find_or_create(connect(store), name, store.artifact_location)


@contextmanager
def store_errors(store: Store) -> Iterator[None]:
    """Turn every error inside into a StoreError, within seconds rather than MLflow's minutes."""
    with as_store_error(store), client_settings():
        check_answers(store)
        yield


def connect(store: Store) -> Any:
    """Return an MlflowClient of `store`; it touches no active run and no global URI.

    Raises:
        FileNotFoundError: The sqlite database is missing; MLflow itself would make it anew, with its folder.
    """
    from mlflow import MlflowClient

    if store.sqlite_file is not None:
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - Seconds, in which the storage may be removed.

        if not store.sqlite_file.exists():
            raise FileNotFoundError(f"{store.sqlite_file} does not exist")
    return MlflowClient(tracking_uri=store.tracking_uri, registry_uri=store.tracking_uri)


def check_answers(store: Store, *, create: bool = False) -> None:
    """Raise within seconds what is wrong with a database: missing, locked, down or silent.

    Where it is the storage's own, and the storage was moved, its artifacts move with it.

    Args:
        create: Whether a sqlite database may be missing.
    """
    if store.sqlite_file is not None:
        mode, wait_s = ("rwc", FIRST_LOCK_WAIT_S) if create else ("rw", LOCK_WAIT_S)
        with unlocked(store.sqlite_file, mode=mode, wait_s=wait_s) as database:
            if store.is_in_storage:
                assert store.artifact_location is not None
                follow_artifacts(database, store.artifact_location)
    elif store.is_database:
        check_server(store.tracking_uri)


@contextmanager
def as_store_error(store: Store) -> Iterator[None]:
    """Turn every error inside into a StoreError whose message has no password."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:  # The tracking and artifact stores raise errors of a dozen libraries.
        reason = without_passwords(str(error).strip().partition("\n")[0].replace(store.tracking_uri, str(store)))[:300]
        raise StoreError(f"MLflow store {store}: {type(error).__name__}: {reason}") from error


def _find_or_create(client: Any, name: str, artifact_location: str | None) -> str:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifact_location, tags=TRAINING_PAGES))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            experiment = client.get_experiment_by_name(name)  # Another driver was faster.
    if experiment.lifecycle_stage == "deleted":
        logger.warning("experiment %r was in MLflow's trash and is restored", name)
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


@contextmanager
def client_settings() -> Iterator[None]:
    """Within this context MLflow's client gives up soon and prints nothing; what the user has set stays."""
    added = {name: value for name, value in CLIENT_SETTINGS.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def migration_lock(store: Store) -> Iterator[None]:
    """Let one process at a time open a sqlite store, whose first opening migrates it."""
    if store.sqlite_file is None:
        yield
        return
    store.sqlite_file.parent.mkdir(parents=True, exist_ok=True)
    path = store.sqlite_file.with_name(f"{store.sqlite_file.name}.lock")
    with path.open("w") as lock:
        deadline = time.monotonic() + MIGRATION_WAIT_S
        while not _locks(lock):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"another process has held {path} for {MIGRATION_WAIT_S:g} s; end it, or wait for it"
                )
            time.sleep(0.05)
        yield


def _locks(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Outage:
    """Remembers one trial's failed pushes: one warning for each outage, and a growing pause between attempts."""

    def __init__(self, *, first_wait_s: float = 5.0, max_wait_s: float = 300.0) -> None:
        self._first_wait_s = first_wait_s
        self._max_wait_s = max_wait_s
        self._failures = 0
        self._next_attempt_s = 0.0

    @property
    def ongoing(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    @property
    def pausing(self) -> bool:
        """Whether it is too early for another attempt."""
        return self.ongoing and time.monotonic() < self._next_attempt_s

    def failed(self, what: str, error: Exception) -> None:
        """Note a failed attempt at `what`; only the first of an outage is a warning."""
        level = logging.DEBUG if self.ongoing else logging.WARNING
        logger.log(level, "%s: not sent to MLflow: %s", what, error)
        wait_s = min(self._first_wait_s * 2**self._failures, self._max_wait_s)
        self._failures += 1
        self._next_attempt_s = time.monotonic() + wait_s

    def succeeded(self, what: str) -> None:
        """Note a successful attempt, which ends an outage."""
        if self.ongoing:
            logger.info("%s: MLflow has everything again", what)
        self._failures = 0
