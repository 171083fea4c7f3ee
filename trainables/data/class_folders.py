"""Folders of one class each, listed quickly: a name is read, and nothing of a file is."""

import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from trainables.config import ConfigError
from trainables.data.list_file import first_few


def class_folders(folder: Path, *, remedy: str) -> tuple[str, ...]:
    """Return the sorted names of the folders in `folder`, links to folders included.

    Args:
        remedy: What a message says of a folder that is not there: what is looked for, and what to set.

    Raises:
        ConfigError: It cannot be read or holds no folder.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"data.root: {folder} cannot be read ({error.strerror}); {remedy}") from error
    if not names:
        raise ConfigError(f"data.root: {folder} holds no folders, one a class; {remedy}")
    return tuple(names)


def picture_names(folder: Path) -> list[str]:
    """Return the sorted names of the pictures in a class's folder.

    Raises:
        ConfigError: It cannot be read, holds none, or two differ in their ending alone.
    """
    try:
        found = sorted(entry.name for entry in os.scandir(folder) if entry.name.lower().endswith(IMG_EXTENSIONS))
    except OSError as error:
        raise ConfigError(f"data.root: {folder} cannot be read ({error.strerror})") from error
    if not found:
        raise ConfigError(f"data.root: {folder} holds no picture ({', '.join(IMG_EXTENSIONS)})")
    stems = [name.rpartition(".")[0] for name in found]
    twice = sorted({stem for stem, after in pairwise(stems) if stem == after})
    if twice:
        raise ConfigError(f"data.root: {folder} has pictures that differ in their ending alone: {first_few(twice)}")
    return found


def missing_files(folder: Path, names: Iterable[str]) -> list[str]:
    """Return which of the files `.../<file>` below `folder` are not there; each folder is listed once."""
    there: dict[str, set[str]] = {}
    missing = []
    for name in names:
        parent, _, file = name.rpartition("/")
        if parent not in there:
            there[parent] = _listing(folder / parent)
        if file not in there[parent]:
            missing.append(name)
    return missing


def _listing(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder)}
    except OSError:
        return set()


def check_same_classes(first: Path, names: Sequence[str], second: Path, others: Sequence[str]) -> None:
    """Raise ConfigError where two folders, or a folder and a list, hold other classes than each other."""
    if set(names) != set(others):
        only = [first_few(sorted(set(a) - set(b))) or "nothing" for a, b in ((names, others), (others, names))]
        raise ConfigError(
            f"data.root: {first} has {len(names)} classes and {second} has {len(others)}, and they must be the same; "
            f"only the first has {only[0]}, only the second has {only[1]}"
        )
