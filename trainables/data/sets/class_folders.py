"""The images of a folder of folders, as most publishers pack them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from trainables.config import ConfigError
from trainables.data.folders import Folders, first_few
from trainables.data.image_names import is_hidden, is_image


def sub_folders(root: Path, below: str, *, remedy: str) -> list[str]:
    """Return the sorted names of the folders in `root/below`, links included; ConfigError where there are none."""
    folder = root / below
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    except OSError as error:
        raise ConfigError(f"data.root: {folder} cannot be read ({error.strerror}); {remedy}") from error
    if not names:
        raise ConfigError(f"data.root: {folder} holds no folders; {remedy}")
    return _unicode(folder, names)


def images_in(root: Path, below: str, folders: Folders, *, remedy: str) -> list[str]:
    """Return the sorted names of the images in the folder `root/below`; ConfigError where there are none."""
    folder = root / below
    try:
        names = [name for name in folders.names(folder) if is_image(name)]
    except ConfigError as error:
        raise ConfigError(f"{error}; {remedy}") from error
    if not names:
        raise ConfigError(f"data.root: {folder} holds no image; {remedy}")
    return _unicode(folder, names)


def images_of(root: Path, belows: Iterable[str], folders: Folders, *, remedy: str) -> Iterator[tuple[str, str]]:
    """Yield each image of the folders below the root as folder and name; the folders are listed together."""
    belows = list(belows)
    folders.read(root / below for below in belows)
    for below in belows:
        for name in images_in(root, below, folders, remedy=remedy):
            yield below, name


def _unicode(folder: Path, names: list[str]) -> list[str]:
    broken = [ascii(name) for name in names if any("\ud800" <= character <= "\udfff" for character in name)]
    if broken:
        raise ConfigError(f"data.root: {folder} has names that are not UTF-8: {first_few(broken)}; rename them")
    return names
