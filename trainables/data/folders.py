"""Folders listed with the sizes of their files, many at a time, and when they last changed.

Shape letter: N files.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainables.config import ConfigError

MISSING = -1
"""The size of a file that is not there, and the time of a folder that is not there."""
_THREADS = 16


class Listing(NamedTuple):
    """What a folder holds."""

    names: list[str]
    """Sorted."""
    sizes_N: npt.NDArray[np.int64]
    """Bytes, of a link those of the file that it names; MISSING where it names none."""
    mtime_ns: int
    """When a file was last added, removed or renamed."""
    error: str | None = None
    """Why it cannot be read."""


ListFolders = Callable[[Sequence[str]], list[Listing]]
"""From folders to what they hold, in the same order; it may run anywhere where they lie at the same path."""


def list_folder(folder: str) -> Listing:
    """Return what a folder holds; its time is taken first, so that what changes meanwhile makes it look old."""
    try:
        mtime_ns = Path(folder).stat().st_mtime_ns
        found = sorted((entry.name, _size(entry)) for entry in os.scandir(folder))
    except OSError as error:
        return Listing([], np.empty(0, dtype=np.int64), MISSING, error.strerror)
    sizes_N = np.fromiter((size for _, size in found), dtype=np.int64, count=len(found))
    return Listing([name for name, _ in found], sizes_N, mtime_ns)


def list_folders(folders: Sequence[str]) -> list[Listing]:
    """List folders in threads of this process."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(list_folder, folders))


def modified_ns(paths: Sequence[str]) -> list[int]:
    """Return when each folder or file last changed, MISSING where there is none."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(_mtime_ns, paths))


class Folders:
    """Listings by folder, each folder listed once."""

    def __init__(self, list_: ListFolders = list_folders) -> None:
        self._list = list_
        self._listings: dict[Path, Listing] = {}
        self.changed_ns: dict[str, int] = {}
        """When each folder or file that was looked at last changed."""

    def read(self, folders: Iterable[Path]) -> None:
        """List folders together; one that cannot be read is an error when it is asked for."""
        new = [folder for folder in dict.fromkeys(folders) if folder not in self._listings]
        for folder, listing in zip(new, self._list([str(folder) for folder in new]), strict=True):
            self._listings[folder] = listing
            self.changed_ns[str(folder)] = listing.mtime_ns

    def listener(self, path: Path) -> None:
        """Take note of when a file or a folder of folders last changed."""
        self.changed_ns[str(path)] = _mtime_ns(str(path))

    def names(self, folder: Path) -> list[str]:
        """Return what a folder holds; ConfigError where it cannot be read."""
        self.read([folder])
        listing = self._listings[folder]
        if listing.error:
            raise ConfigError(f"data.root: {folder} cannot be read ({listing.error})")
        return listing.names

    def sizes(self, folder: Path) -> dict[str, int]:
        """Return the sizes of a folder's files by name; nothing where it cannot be read."""
        self.read([folder])
        listing = self._listings[folder]
        return dict(zip(listing.names, listing.sizes_N.tolist(), strict=True))


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return MISSING


def _mtime_ns(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return MISSING
