"""Files of the same bytes: scenes and objects that would be in two splits under two names."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from orchestrator.data.compose.objects import Objects
from orchestrator.data.compose.plan import Split
from orchestrator.data.compose.scenes import Scene
from orchestrator.data.duplicates import Shared, Sized, same_bytes
from trainables.config import ConfigError


def first_of_same(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the names of files below a folder without those whose bytes an earlier one has."""
    first: dict[bytes, str] = {}
    for name in names:
        first.setdefault(hashlib.sha256((folder / name).read_bytes()).digest(), name)
    return list(first.values())


def without_copies(scenes: Sequence[Scene], objects: Mapping[Split, Objects]) -> list[Scene]:
    """Return the scenes that are no images of the objects, which have splits of their own.

    Raises:
        ConfigError: All are.
    """
    images = {"objects": [path for each in objects.values() for path in each.paths]}
    found = _shared({**images, "scenes": [scene.file.path for scene in scenes]})
    copies = {scene for each in found for _, scene in each.pairs}
    left = [scene for scene in scenes if scene.file.path not in copies]
    if not left:
        raise ConfigError(
            f"--scenes: all {len(scenes)} are images of the objects, such as {scenes[0].file.path}, and no image may "
            "be in two splits; give other scenes"
        )
    return left


def num_in_two_splits(objects: Mapping[Split, Objects]) -> int:
    """Return how many images of objects have the bytes of one of another split."""
    return sum(len(each.pairs) for each in _shared({split: each.paths for split, each in objects.items()}))


def _shared(paths: Mapping[str, Iterable[Path]]) -> list[Shared]:
    """Return what the named lists share; a file that is missing is refused where it is read."""
    sized = (
        Sized(name, path, path.stat().st_size) for name, listed in paths.items() for path in listed if path.is_file()
    )
    found, *_ = same_bytes(sized, max_read=None)
    return found
