"""Files that can be read to their ends."""

import stat
from pathlib import Path

KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def check_regular(path: Path) -> None:
    """Check that `path` is a file, since a named pipe may never end.

    Raises:
        OSError: It is a pipe, a socket or a device, it is not there, or its links lead nowhere.
    """
    kind = KINDS.get(stat.S_IFMT(path.stat().st_mode))
    if kind is not None:
        raise OSError(None, f"it is {kind}, not a file", str(path))
