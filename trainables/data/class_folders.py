"""Folders of one class each, listed quickly: a name is read, and nothing of a file is."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from trainables.config import ConfigError
from trainables.data.list_file import first_few

_SETTING = "data.root"


def class_folders(folder: Path, *, remedy: str, setting: str = _SETTING) -> tuple[str, ...]:
    """Return the sorted names of the folders in `folder`, links to folders included.

    Args:
        remedy: What a message says of a folder that is not there: what is looked for, and what to set.
        setting: What says where the folder lies.

    Raises:
        ConfigError: It cannot be read or holds no folder.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"{setting}: {folder} cannot be read ({error.strerror}); {remedy}") from error
    if not names:
        raise ConfigError(f"{setting}: {folder} holds no folders, one a class; {remedy}")
    return tuple(names)


def image_names(folder: Path, *, setting: str = _SETTING) -> list[str]:
    """Return the sorted names of the images in a class's folder.

    Raises:
        ConfigError: It cannot be read, holds none, or two differ in their ending alone.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        raise ConfigError(f"{setting}: {folder} cannot be read ({error.strerror})") from error
    return only_images(folder, names, setting=setting)


def only_images(folder: Path, names: Sequence[str], *, setting: str = _SETTING) -> list[str]:
    """Return which of the sorted names are images; ConfigError where none are, or two differ in ending alone."""
    found = [name for name in names if name.lower().endswith(IMG_EXTENSIONS)]
    if not found:
        raise ConfigError(f"{setting}: {folder} holds no image ({', '.join(IMG_EXTENSIONS)})")
    stems = [name.rpartition(".")[0] for name in found]
    twice = sorted({stem for stem, after in pairwise(stems) if stem == after})
    if twice:
        raise ConfigError(f"{setting}: {folder} has images that differ in their ending alone: {first_few(twice)}")
    return found


def check_same_classes(
    first: Path, names: Sequence[str], second: Path, others: Sequence[str], *, setting: str = _SETTING
) -> None:
    """Raise ConfigError where two folders, or a folder and a list, hold other classes than each other."""
    if set(names) != set(others):
        only = [first_few(sorted(set(a) - set(b))) or "nothing" for a, b in ((names, others), (others, names))]
        raise ConfigError(
            f"{setting}: {first} has {len(names)} classes and {second} has {len(others)}, and they must be the same; "
            f"only the first has {only[0]}, only the second has {only[1]}"
        )
