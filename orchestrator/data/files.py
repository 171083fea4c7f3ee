"""The files of a set of images: which are missing or empty, which cannot be decoded, and what the others show."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch.utils.data import DataLoader, Dataset

from trainables.config import check_regular
from trainables.data import ImageError
from trainables.data.image_file import MaskSizeError
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
    irregular: list[str] = field(default_factory=list)
    """Named pipes and the like, each with what it is."""
    num_masks: int = 0
    usable: list[int] = field(default_factory=list)
    """Indices of the images that are there, with their masks."""
    sizes: list[int] = field(default_factory=list)
    """Bytes of the usable images."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a decoded image shows."""

    index: int
    label: int
    pixels: bytes
    """A digest of the decoded image, turned as EXIF says."""
    has_mask: bool
    shows_object: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """Why an image cannot be used."""

    message: str
    is_size: bool
    """Whether its mask has another size."""


def stat_files(images: ImageFiles, track: Track) -> Files:
    """Check that every image and every mask is there and not empty."""
    starts, files = range(0, len(images), _CHUNK), Files()
    with ThreadPoolExecutor(_THREADS) as pool:
        for chunk in track(pool.map(partial(_stat, images), starts), "files", len(starts)):
            files.missing += chunk.missing
            files.empty += chunk.empty
            files.irregular += chunk.irregular
            files.num_masks += chunk.num_masks
            files.usable += chunk.usable
            files.sizes += chunk.sizes
    return files


def decode_files(
    images: ImageFiles, indices: Sequence[int], *, processes: int, track: Track
) -> tuple[list[Look], list[Broken]]:
    """Decode images with their masks; return what the usable ones show, and why the others cannot be used."""
    loader = DataLoader(
        cast("Dataset[Look | Broken]", _Decoded(images, indices)),
        batch_size=_BATCH,
        num_workers=processes,
        collate_fn=list,
    )
    seen = [one for batch in track(loader, "decoding", len(loader)) for one in batch]
    return [one for one in seen if isinstance(one, Look)], [one for one in seen if isinstance(one, Broken)]


def _stat(images: ImageFiles, start: int) -> Files:
    files = Files()
    for index in range(start, min(start + _CHUNK, len(images))):
        image_file = images.entries[index]
        files.num_masks += image_file.mask_path is not None or image_file.boxes is not None
        paths = (image_file.path, image_file.mask_path, *image_file.more_masks)
        sizes = [_size(path, files) for path in paths if path is not None]
        if all(sizes):
            files.usable.append(index)
            files.sizes.append(sizes[0])
    return files


def _size(path: Path, files: Files) -> int:
    """Return the bytes of a file, 0 where it cannot be used; `files` then has the reason."""
    try:
        check_regular(path)
        size = path.stat().st_size
    except FileNotFoundError:
        files.missing.append(str(path))
        return 0
    except (OSError, ValueError) as error:
        files.irregular.append(f"{path} ({getattr(error, 'strerror', error)})")
        return 0
    if not size:
        files.empty.append(str(path))
    return size


@dataclass(frozen=True)
class _Decoded:
    """A map-style data set whose item is what an image shows, or what is wrong."""

    images: ImageFiles
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Look | Broken:
        index = self.indices[position]
        try:
            whole = self.images.whole(index)
        except ImageError as error:
            return Broken(str(error), isinstance(error, MaskSizeError))
        pixels = whole.images_BCHW.numpy()
        return Look(
            index=index,
            label=int(whole.labels_B[0]),
            pixels=hashlib.blake2b(pixels.tobytes(), key=repr(pixels.shape).encode(), digest_size=16).digest(),
            has_mask=self.images.entries[index].mask_path is not None,
            shows_object=bool(whole.has_mask_B[0]),
        )
