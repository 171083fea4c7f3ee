"""Hard ImageNet's ranking of its training images, from those that a network is surest of to those it is least sure of.

It is a pickle, which can run any code as it is loaded. So it is read by an unpickler that knows no names, and a list of
texts does as well.
"""

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from trainables.config import ConfigError, check_regular

NUM_AT_EACH_END = 100
"""Images of each class that the balanced subset takes from either end of the ranking."""
NAMES = ("paths_by_rank2.pkl", "paths_by_rank.pkl", "paths_by_rank.txt")
"""Files with the ranking, the publisher's own fine-tuning first; the last has a path in each line."""
_ERRORS = (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError)


def balanced_subset(folders: Iterable[Path]) -> frozenset[str]:
    """Return the images of the subset as `<wnid>/<image>`, by the first ranking in the folders.

    Raises:
        ConfigError: There is none, or it cannot be read.
    """
    folders = list(folders)
    path = next((path for name in NAMES for folder in folders if (path := folder / name).is_file()), None)
    if path is None:
        raise ConfigError(
            f"data.train = balanced: neither of {' and '.join(map(str, folders))} holds {', '.join(NAMES)}, the "
            "ranking; take it from the publisher's folder meta, or set data.train=all"
        )
    return frozenset(image for ranked in _rankings(path) for image in _ends(ranked))


def _ends(ranked: list[str]) -> list[str]:
    return [*ranked[:NUM_AT_EACH_END], *ranked[-NUM_AT_EACH_END:]]


def _rankings(path: Path) -> Iterator[list[str]]:
    """Yield the images of each class, in the order of their ranks."""
    by_class: dict[str, list[str]] = {}
    for name in _paths(path):
        *_, wnid, image = ("", *name.split("/"))
        by_class.setdefault(wnid, []).append(f"{wnid}/{image}")
    yield from by_class.values()


def _paths(path: Path) -> list[str]:
    try:
        check_regular(path)
        if path.suffix == ".txt":
            return path.read_text(encoding="utf-8").split("\n")
        with path.open("rb") as file:
            ranked = _NoNames(file).load()
        paths = [str(name) for names in ranked.values() for name in names]
    except OSError as error:
        raise ConfigError(f"data.train = balanced: {path} cannot be read ({error.strerror})") from error
    except _ERRORS as error:
        raise ConfigError(
            f"data.train = balanced: {path} is no dictionary of lists of texts ({error}); write the paths to "
            f"{path.with_name(NAMES[-1])}, one in each line, in the order of their ranks"
        ) from error
    return paths


class _NoNames(pickle.Unpickler):
    """Reads dictionaries, lists, texts and numbers, and refuses anything that would be imported."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it would import {module}.{name}")
