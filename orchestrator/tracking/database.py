"""Whether a database can be used, within seconds: MLflow itself would try for minutes."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

from orchestrator.files.passwords import without_passwords
from trainables.config import ConfigError

ANSWER_WAIT_S = 5.0
PACKAGES = {
    "MySQLdb": "mysqlclient",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pymysql": "pymysql",
    "pyodbc": "pyodbc",
}
"""Module of a database's driver -> the package that contains it."""


def check_driver(uri: str) -> None:
    """Check a database's address, and that the Python package of its driver is installed.

    Raises:
        ConfigError: It is no address, or the package is missing; the message says what would be right.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    shown = f"tracking URI {without_passwords(uri)}"
    try:
        make_url(uri).get_dialect().import_dbapi()
    except SQLAlchemyError as error:
        raise ConfigError(f"{shown}: {error}") from error
    except ValueError:  # Of the port; its message may hold a part of the password.
        raise ConfigError(
            f"{shown}: what follows the host's colon is no port; expected postgresql://USER:PASSWORD@HOST:5432/NAME, "
            "and in the password %40 for @, %3A for :, %2F for /"
        ) from None
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        package = PACKAGES.get(module, module or "its driver")
        raise ConfigError(
            f"{shown} needs a package that is not installed ({error}): pip install '{package}'"
        ) from error


def check_server(uri: str) -> None:
    """Open one connection to a database server, and raise what its driver says if there is none.

    A thread opens it: drivers name their limits differently, and some have none for a server that is silent.

    Raises:
        TimeoutError: The server does not answer within `ANSWER_WAIT_S`.
    """
    answer: Future[None] = Future()

    def connect() -> None:
        try:
            _connect(uri)
        except Exception as error:  # Drivers have errors of their own.
            answer.set_exception(error)
        else:
            answer.set_result(None)

    Thread(target=connect, daemon=True).start()
    try:
        answer.result(ANSWER_WAIT_S)
    except TimeoutError as error:
        if answer.done():
            raise
        raise TimeoutError(
            f"no answer within {ANSWER_WAIT_S:g} s; is the database up, and the address right?"
        ) from error


def _connect(uri: str) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri)
    engine.connect().close()
    engine.dispose()


@contextmanager
def unlocked(file: Path, *, mode: str, wait_s: float) -> Iterator[sqlite3.Connection]:
    """Yield a transaction that may write to the sqlite database; leaving the context commits it.

    Args:
        mode: `rwc` creates a missing database, `rw` does not; MLflow itself would always.
        wait_s: How long another process may hold the database; MLflow itself would wait 20 s at every call.

    Raises:
        sqlite3.Error: The database is missing or locked, or the file is none.
    """
    with closing(sqlite3.connect(f"{file.as_uri()}?mode={mode}", uri=True, timeout=wait_s)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.commit()
