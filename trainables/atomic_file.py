"""A file that is there whole or not at all, also after the machine has lost its power."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

NOT_ON_FOLDERS = (errno.EINVAL, errno.EBADF, errno.ENOTSUP)
"""What `fsync` of a folder fails with on file systems that have none, such as some network shares."""


@contextmanager
def atomic_file(path: Path, *, partial: Path | None = None, previous: Path | None = None) -> Iterator[BinaryIO]:
    """Yield a file that becomes `path` by rename once all of it is on the disk; its folder is made.

    Args:
        partial: Where it is written first; by default a hidden file of this process next to `path`.
        previous: Where the file that was at `path` is kept; by default it is replaced.

    Raises:
        OSError: It cannot be written; the message names `path`, where the old file stays.
    """
    partial = partial or path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if previous is not None:
            with suppress(FileNotFoundError):
                path.replace(previous)
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder last, where its file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_ON_FOLDERS:
            raise
    finally:
        os.close(descriptor)
