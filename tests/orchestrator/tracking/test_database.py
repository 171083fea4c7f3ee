"""Databases that are down, silent, or no database; addresses and drivers."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.tracking import StoreError, database, ensure_experiment, resolve_store
from orchestrator.tracking.database import check_driver
from orchestrator.tracking.server import prepare_database
from tests.harness.fault_message import NoteMessage
from trainables.config import ConfigError


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port at which connections are accepted and nothing is ever said."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "ANSWER_WAIT_S", 0.5)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


@pytest.mark.usefixtures("short_wait")
@pytest.mark.parametrize("use", [lambda store: ensure_experiment(store, "any"), prepare_database])
@pytest.mark.fault("A database accepts connections and never answers.", trains=False)
def test_silent_database_is_named_after_one_try(
    use: object, silent_port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture, note_message: NoteMessage
) -> None:
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL, psycopg, is not installed")
    assert callable(use)
    with pytest.raises(StoreError) as caught:
        use(resolve_store(tmp_path, f"postgresql://me:secret@127.0.0.1:{silent_port}/mlflow"))
    note_message([str(caught.value)])
    assert str(caught.value) == (
        f"MLflow store postgresql://me:***@127.0.0.1:{silent_port}/mlflow: TimeoutError: no answer within 0.5 s; is "
        "the database up, and the address right?"
    )
    assert caplog.records == []
    assert list(tmp_path.iterdir()) == []


def test_database_that_is_down_is_named_after_one_try(
    closed_port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL, psycopg, is not installed")
    with pytest.raises(StoreError, match=f"port {closed_port} failed: Connection refused") as caught:
        ensure_experiment(resolve_store(tmp_path, f"postgresql://me:secret@127.0.0.1:{closed_port}/mlflow"), "any")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caplog.records == []


@pytest.mark.usefixtures("short_wait")
@pytest.mark.fault("A server accepts connections and never answers.", trains=False)
def test_silent_server_is_named_after_one_try(
    silent_port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture, note_message: NoteMessage
) -> None:
    with pytest.raises(StoreError, match=f"MLflow store http://127.0.0.1:{silent_port}: .*ReadTimeoutError") as caught:
        ensure_experiment(resolve_store(tmp_path, f"http://127.0.0.1:{silent_port}"), "any")
    note_message([str(caught.value)])
    assert caplog.records == []


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:///{folder}", "this is a folder"),
        ("sqlite:///", "it names no file"),
        ("sqlite://here.db", "it names no file"),
        ("sqlite+pysqlite:///{folder}/here.db", "it names no file"),
    ],
)
@pytest.mark.fault("The sqlite address is a folder.", trains=False)
def test_sqlite_address_names_a_file(uri: str, message: str, tmp_path: Path, note_message: NoteMessage) -> None:
    uri = uri.format(folder=tmp_path)
    with pytest.raises(
        ConfigError, match=rf"tracking URI {uri.replace('+', '.')}: {message}; give sqlite:////ABSOLUTE"
    ) as caught:
        resolve_store(tmp_path, uri)
    note_message([str(caught.value)])
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_no_database_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mlflow.db").write_text("not a database\n" * 100)
    with pytest.raises(StoreError, match=r"mlflow.db: DatabaseError: file is not a database"):
        ensure_experiment(resolve_store(tmp_path), "any")
    assert (tmp_path / "mlflow.db").read_text() == "not a database\n" * 100
    assert caplog.records == []


@pytest.mark.parametrize(
    ("uri", "module", "package"),
    [
        ("postgresql://me@db/mlflow", "psycopg", r"psycopg\[binary\]"),
        ("postgresql+psycopg2://me@db/mlflow", "psycopg2", "psycopg2-binary"),
        ("mysql+pymysql://me@db/mlflow", "pymysql", "pymysql"),
    ],
)
def test_missing_driver_says_what_to_install(
    uri: str, module: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(ConfigError, match=rf"needs a package that is not installed .*: pip install '{package}'"):
        resolve_store(tmp_path, uri)


@pytest.mark.parametrize("uri", ["postgresql://u:p@h:port/x", "postgresql://u:pw@h:pw/x", "postgresql://u:x@y:pw@h/x"])
def test_address_without_a_port_after_its_colon_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match="what follows the host's colon is no port") as caught:
        check_driver(uri)
    assert "x@y" not in str(caught.value)


def test_unknown_driver_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"postgresql\.absent"):
        check_driver("postgresql+absent://me@db/mlflow")
