"""What commands say of an MLflow store that they cannot use."""

import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.tracking import store

Cli = Callable[..., Any]
SPACE = "digits-background-weight"


@pytest.fixture
def uri() -> Iterator[str]:
    """Return the address of a database that is down."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL, psycopg, is not installed")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"postgresql://me:secret@127.0.0.1:{closed.getsockname()[1]}/mlflow"


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def only_line(ran: Any) -> str:
    """Return the only line that the command printed."""
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    assert "secret" not in line
    return str(line)


@pytest.mark.parametrize(
    "command", [("train", "digits"), ("sweep", SPACE, "--trials", "1"), ("study", "digits-shortcut"), ("ui",)]
)
@pytest.mark.fault("The database of MLflow is down.", trains=False)
def test_database_that_is_down_ends_a_command(command: tuple[str, ...], uri: str, cli: Cli, tmp_path: Path) -> None:
    ran = cli(*command, "--storage", tmp_path, "--tracking-uri", uri)
    assert ran.code == 2
    assert "Connection refused" in only_line(ran)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["resume", "sync", "extend"])
def test_database_that_is_down_ends_a_command_on_a_sweep(
    command: str, uri: str, make_sweep: Callable[..., Any], cli: Cli, tmp_path: Path
) -> None:
    sweep = make_sweep(space=SPACE)
    before = sweep.folder.config_path.read_bytes()
    options = ("--trials", "1") if command == "extend" else ()
    ran = cli(command, "first", *options, "--storage", tmp_path, "--tracking-uri", uri)
    assert ran.code == 2
    assert "Connection refused" in only_line(ran)
    assert sweep.folder.config_path.read_bytes() == before


def test_database_that_is_down_is_a_warning_to_a_leaderboard(
    uri: str, make_sweep: Callable[..., Any], cli: Cli, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_sweep().complete("0000", {"val/accuracy": 0.5})
    ran = cli("leaderboard", "first", "--storage", tmp_path, "--tracking-uri", uri)
    assert ran.code == 0
    assert "0000" in ran.out
    (warning,) = caplog.messages
    assert "sweep first is shown without its MLflow runs" in warning


def test_database_that_is_down_ends_a_server(uri: str, port: int, cli: Cli, tmp_path: Path) -> None:
    ran = cli("tracking", "serve", "--port", port, "--storage", tmp_path, "--backend-store-uri", uri)
    assert ran.code == 2
    assert "Connection refused" in only_line(ran)


def test_database_that_is_locked_for_a_moment_is_served(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[list[str]] = []
    monkeypatch.setattr("os.execve", lambda _, command, __: served.append(command))
    monkeypatch.setattr(store, "LOCK_WAIT_S", 0.1)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        ran = cli("ui", "--storage", tmp_path)
    assert (ran.code, len(served)) == (0, 1)
    assert "warning: the addresses of the runs are unknown: " in ran.err
    assert "database is locked" in ran.err


@pytest.mark.parametrize("name", ["what?", "1#2", "100%", "a%20b"])
@pytest.mark.parametrize("command", [("train", "digits"), ("sweep", SPACE, "--trials", "1"), ("tracking", "serve")])
@pytest.mark.fault("The storage path has a `?`, `#` or `%`.", trains=False)
def test_storage_with_a_character_of_addresses_is_refused(
    command: tuple[str, ...], name: str, cli: Cli, tmp_path: Path
) -> None:
    ran = cli(*command, "--storage", tmp_path / name)
    assert ran.code == 2
    (sign,) = set(name) & set("?#%")
    assert only_line(ran) == (
        f"error: --storage {tmp_path / name}: MLflow cannot use a path with {sign}; choose another one"
    )
    assert list(tmp_path.iterdir()) == []


def test_database_with_a_character_of_addresses_is_refused(cli: Cli, tmp_path: Path) -> None:
    ran = cli("train", "digits", "--storage", tmp_path, "--tracking-uri", f"sqlite:///{tmp_path}/x.db?timeout=9")
    assert ran.code == 2
    assert f"tracking URI {tmp_path}/x.db?timeout=9: MLflow cannot use a path with ?" in only_line(ran)
    assert list(tmp_path.iterdir()) == []
