"""The files of a set of images: which are missing or empty, and which cannot be decoded."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch.utils.data import DataLoader, Dataset

from trainables.data import ImageError
from trainables.data.image_files import ImageFiles

Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""From steps, their name and their number to the same steps, with progress shown."""
_CHUNK = 512
_BATCH = 32
_THREADS = 16


@dataclass(slots=True)
class Files:
    """The state of a set's files on disk."""

    missing: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    num_masks: int = 0
    usable: list[int] = field(default_factory=list)
    """Indices of the images that are there, with their masks."""


def stat_files(images: ImageFiles, track: Track) -> Files:
    """Check that every image and every mask is there and not empty."""
    starts, files = range(0, len(images), _CHUNK), Files()
    with ThreadPoolExecutor(_THREADS) as pool:
        for chunk in track(pool.map(partial(_stat, images), starts), "files", len(starts)):
            files.missing += chunk.missing
            files.empty += chunk.empty
            files.num_masks += chunk.num_masks
            files.usable += chunk.usable
    return files


def decode_files(
    images: ImageFiles, indices: Sequence[int], *, processes: int, track: Track
) -> tuple[list[int], list[str]]:
    """Decode images with their masks; return the labels of the usable ones, and a message for each of the others."""
    loader = DataLoader(
        cast("Dataset[int | str]", _Decoded(images, indices)),
        batch_size=_BATCH,
        num_workers=processes,
        collate_fn=list,
    )
    labels: list[int] = []
    wrong: list[str] = []
    for batch in track(loader, "decoding", len(loader)):
        labels += [label for label in batch if isinstance(label, int)]
        wrong += [message for message in batch if isinstance(message, str)]
    return labels, wrong


def _stat(images: ImageFiles, start: int) -> Files:
    files = Files()
    for index in range(start, min(start + _CHUNK, len(images))):
        image_file = images.entries[index]
        paths = [image_file.path] if image_file.mask_path is None else [image_file.path, image_file.mask_path]
        sizes = [_size(path) for path in paths]
        files.num_masks += len(paths) > 1 or image_file.boxes is not None
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
    """A map-style data set whose item is an image's label, or a message about what is wrong."""

    images: ImageFiles
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> int | str:
        try:
            return self.images.check(self.indices[position])
        except ImageError as error:
            return str(error)
