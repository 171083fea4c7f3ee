"""Folders: what they hold, the sizes of their files, when they last changed, and which classes they name.

Shape letter: N files.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainables.config import ConfigError
from trainables.data.image_names import IMAGE_ENDINGS, composed, is_hidden, is_image

MISSING = -1
"""The size of a file that is not there, and the time of a folder that is not there."""
_THREADS = 16
_SETTING = "data.root"
_NUM_NAMED = 5


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
"""From folders to what they hold, in the same order; it may run on any machine that has them at the same path."""


def list_folder(folder: str) -> Listing:
    """Return what a folder holds; its time is read first, so that a change meanwhile makes the listing look old."""
    try:
        mtime_ns = Path(folder).stat().st_mtime_ns
        files = sorted((entry.name, _size(entry)) for entry in os.scandir(folder))
    except OSError as error:
        return Listing([], np.empty(0, dtype=np.int64), MISSING, error.strerror)
    sizes_N = np.fromiter((size for _, size in files), dtype=np.int64, count=len(files))
    return Listing([name for name, _ in files], sizes_N, mtime_ns)


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
        """When each folder or file that was read last changed."""

    def read(self, folders: Iterable[Path]) -> None:
        """List folders together; one that cannot be read is an error only when `names` asks for it."""
        new = [folder for folder in dict.fromkeys(folders) if folder not in self._listings]
        for folder, listing in zip(new, self._list([str(folder) for folder in new]), strict=True):
            self._listings[folder] = listing
            self.changed_ns[str(folder)] = listing.mtime_ns

    def record_time(self, path: Path) -> None:
        """Record when a file or a folder of folders last changed."""
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


def class_folders(folder: Path, *, remedy: str, setting: str = _SETTING) -> tuple[str, ...]:
    """Return the sorted names of the folders in `folder`, links to folders included.

    Args:
        remedy: Ends the message about a missing folder: which layout is expected, and what to set.
        setting: The setting that names the folder.

    Raises:
        ConfigError: It cannot be read or holds no folder.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not is_hidden(entry.name))
    except OSError as error:
        raise ConfigError(f"{setting}: {folder} cannot be read ({error.strerror}); {remedy}") from error
    if not names:
        raise ConfigError(f"{setting}: {folder} holds no folders; expected one for each class; {remedy}")
    check_forms(folder, names, setting=setting)
    return tuple(names)


def check_forms(where: Path | str, names: Iterable[str], *, setting: str) -> None:
    """Raise ConfigError where two classes look alike, since one is composed (NFC) and one decomposed (NFD) Unicode."""
    first: dict[str, str] = {}
    for name in sorted(names):
        other = first.setdefault(composed(name), name)
        if other != name:
            raise ConfigError(
                f"{setting}: {where} has the class {name} in two Unicode forms, {other!a} and {name!a}; rename one "
                "folder, or move its images to the other"
            )


def image_names(folder: Path, *, setting: str = _SETTING) -> list[str]:
    """Return the sorted names of the images in a class's folder.

    Raises:
        ConfigError: It cannot be read, holds no image, or two names differ only in their ending.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        raise ConfigError(f"{setting}: {folder} cannot be read ({error.strerror})") from error
    return only_images(folder, names, setting=setting)


def only_images(folder: Path, names: Sequence[str], *, setting: str = _SETTING) -> list[str]:
    """Return the images among the sorted names; ConfigError where none are, or two differ only in their ending."""
    images = [name for name in names if is_image(name)]
    if not images:
        raise ConfigError(f"{setting}: {folder} holds no image ({', '.join(IMAGE_ENDINGS)})")
    stems = [name.rpartition(".")[0] for name in images]
    twice = sorted({stem for stem, after in pairwise(stems) if stem == after})
    if twice:
        raise ConfigError(f"{setting}: {folder} has images that differ only in their ending: {first_few(twice)}")
    return images


def check_same_classes(
    first: Path, names: Sequence[str], second: Path, others: Sequence[str], *, setting: str = _SETTING
) -> None:
    """Raise ConfigError where two folders, or a folder and a list, do not have the same classes."""
    check_forms(f"{first} and {second}", {*names, *others}, setting=setting)
    if set(names) != set(others):
        only = [first_few(sorted(set(a) - set(b))) or "nothing" for a, b in ((names, others), (others, names))]
        raise ConfigError(
            f"{setting}: {first} has {len(names)} classes and {second} has {len(others)}, and they must be the same; "
            f"only the first has {only[0]}, only the second has {only[1]}"
        )


def as_on_disk(path: Path) -> Path:
    """Return the path as its folder has it, where the name may be in another Unicode form."""
    if path.name.isascii() or path.exists():
        return path
    try:
        names = [entry.name for entry in os.scandir(path.parent) if composed(entry.name) == composed(path.name)]
    except OSError:
        return path
    return path.with_name(names[0]) if names else path


def first_few(names: Sequence[str]) -> str:
    """Return the first names, and dots where there are more."""
    return f"{', '.join(names[:_NUM_NAMED])}{' ...' if len(names) > _NUM_NAMED else ''}"


def left_out_text(files: Sequence[str]) -> str:
    """Return how many files are left out, which, and why."""
    return f"left out ({len(files)}): {first_few(files)}; the names of images end in {', '.join(IMAGE_ENDINGS)}"


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
