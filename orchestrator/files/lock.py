"""A folder held by one process at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from trainables.config import ConfigError

ASKED_S = 0.005
"""Pause of a process that finds the file shared, and so held by none but those who ask whether it is held."""


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path`, made with its folder; ConfigError if another process holds it.

    The file's time is when its last holder started. The lock ends with the process, however that ends.

    Args:
        what: What is held, for the message: `sweep first`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        while not _takes(file, fcntl.LOCK_EX):
            if not _takes(file, fcntl.LOCK_SH):
                raise ConfigError(f"{what} is being run by another process; wait for it or stop it first")
            fcntl.flock(file, fcntl.LOCK_UN)
            time.sleep(ASKED_S)
        os.utime(file.fileno())
        yield


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock file at this moment; who asks shares it for an instant."""
    if not path.exists():
        return False
    with path.open() as file:
        return not _takes(file, fcntl.LOCK_SH)


def _takes(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
