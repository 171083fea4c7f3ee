"""A folder held by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainables.config import ConfigError


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path`, made with its folder; ConfigError if another process holds it.

    The file's time is when its last holder started. The lock ends with the process, however that ends.

    Args:
        what: What is held, for the message: `sweep first`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"{what} is being run by another process; wait for it or stop it first") from error
        os.utime(file.fileno())
        yield


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock file at this moment."""
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
