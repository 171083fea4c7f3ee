"""A PostgreSQL server of the test's own, with Debian's programs."""

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.integration.many_nodes import free_port

DEBIAN = Path("/usr/lib/postgresql")


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URI of an empty database on 127.0.0.1; skip, with the reason, where it cannot be had."""
    if reason := what_is_missing():
        pytest.skip(reason)
    programs, user = _programs(), _user()
    assert programs is not None
    assert user is not None
    folder = Path(tempfile.mkdtemp(prefix="campaign-postgres-"))  # Not below pytest's, which other users cannot enter.
    shutil.chown(folder, user)
    data, port = folder / "data", free_port()

    def run(program: str, *arguments: str) -> None:
        as_user = {"user": user} if os.geteuid() == 0 else {}
        done = subprocess.run(
            [programs / program, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
            **as_user,  # type: ignore[call-overload]
        )
        assert done.returncode == 0, f"{program}: {done.stdout}"

    try:
        run("initdb", f"--pgdata={data}", "--username=campaign", "--auth=trust", "--encoding=UTF8", "--no-sync")
        listen = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
        run("pg_ctl", f"--pgdata={data}", f"--log={folder}/log", f"--options={listen}", "--wait", "start")
        try:
            run("createdb", "--host=127.0.0.1", f"--port={port}", "--username=campaign", "mlflow")
            yield f"postgresql://campaign@127.0.0.1:{port}/mlflow"
        finally:
            run("pg_ctl", f"--pgdata={data}", "--mode=immediate", "stop")
    finally:
        shutil.rmtree(folder)


def what_is_missing() -> str | None:
    """Return why no server can be started here; None where one can."""
    if find_spec("psycopg") is None:
        return "the driver of PostgreSQL, psycopg, is not installed"
    if _programs() is None:
        return "PostgreSQL's programs (Debian's package postgresql) are not installed"
    return None if _user() else "PostgreSQL does not run as root, and there is no user postgres or nobody"


def _programs() -> Path | None:
    """Return the folder of initdb and pg_ctl: Debian keeps them off the PATH."""
    found = [path.parent for path in sorted(DEBIAN.glob("*/bin/pg_ctl"), reverse=True)]
    on_path = shutil.which("pg_ctl")
    return found[0] if found else Path(on_path).parent if on_path else None


def _user() -> str | None:
    """Return who runs the server: it refuses root."""
    if os.geteuid() != 0:
        return getpass.getuser()
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)
