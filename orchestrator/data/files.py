"""The files of a set of photos, looked at one by one and several at a time."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch.utils.data import DataLoader, Dataset

from trainables.data import PictureError
from trainables.data.photos import Photos

Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""From steps, what they are and how many there are, to the same steps, shown as they pass."""
_CHUNK = 512
_BATCH = 32
_THREADS = 16


@dataclass(slots=True)
class Files:
    """What lies on disk of a set."""

    missing: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    num_masks: int = 0
    usable: list[int] = field(default_factory=list)
    """The pictures that are there, with their masks."""


def stat_files(pictures: Photos, track: Track) -> Files:
    """Look whether every picture and every mask is there and not empty."""
    starts, files = range(0, len(pictures), _CHUNK), Files()
    with ThreadPoolExecutor(_THREADS) as pool:
        for part in track(pool.map(partial(_stat, pictures), starts), "files", len(starts)):
            files.missing += part.missing
            files.empty += part.empty
            files.num_masks += part.num_masks
            files.usable += part.usable
    return files


def decode_files(
    pictures: Photos, indices: Sequence[int], *, processes: int, track: Track
) -> tuple[list[int], list[str]]:
    """Decode pictures with their masks; return the labels of those that can be used, and what is wrong with others."""
    loader = DataLoader(
        cast("Dataset[int | str]", _Decoded(pictures, indices)),
        batch_size=_BATCH,
        num_workers=processes,
        collate_fn=list,
    )
    labels: list[int] = []
    wrong: list[str] = []
    for batch in track(loader, "decoding", len(loader)):
        labels += [found for found in batch if isinstance(found, int)]
        wrong += [found for found in batch if isinstance(found, str)]
    return labels, wrong


def _stat(pictures: Photos, start: int) -> Files:
    files = Files()
    for index in range(start, min(start + _CHUNK, len(pictures))):
        photo = pictures.entries[index]
        paths = [photo.path] if photo.mask_path is None else [photo.path, photo.mask_path]
        sizes = [_size(path) for path in paths]
        files.num_masks += len(paths) - 1
        files.missing += [str(path) for path, size in zip(paths, sizes, strict=True) if size is None]
        files.empty += [str(path) for path, size in zip(paths, sizes, strict=True) if size == 0]
        if all(sizes):
            files.usable.append(index)
    return files


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


@dataclass(frozen=True)
class _Decoded:
    """A map-style data set whose item is a picture's label, or what is wrong with it."""

    pictures: Photos
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> int | str:
        try:
            return self.pictures.check(self.indices[position])
        except PictureError as error:
            return str(error)
