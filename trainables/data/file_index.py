"""The files of a data set as arrays, and the index that keeps them, so that not every trial lists a million files.

Shape letter: N images.
"""

import json
import logging
import os
import secrets
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from trainables.config import HardImageNet, ImageNetS
from trainables.data.folders import MISSING, Folders, ListFolders, list_folders, modified_ns
from trainables.data.image_file import short_hash

logger = logging.getLogger(__name__)

Listed = TypeVar("Listed", bound=ImageNetS | HardImageNet)
_FORMAT = 2
_NOT_IN_THE_KEY = frozenset(
    {
        "augmentation",
        "cache",
        "cache_leaves_gib",
        "image_size",
        "images_per_class",
        "loader_processes",
        "max_image_pixels",
        "on_error",
        "prefetch_batches",
        "shift",
        "val_shift",
        "validation",
    }
)
"""Settings that change nothing about which files there are."""
_SETTLED_NS = 2 * 10**9
"""A folder that changed less than this before it was listed may change again at the same time stamp."""
_READ_ERRORS = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""What numpy raises for a file that is truncated or not one of its archives."""
_SPLITS = ("train", "val")
MaskName = Callable[[str], str | None]
"""From an image to its mask, both as paths below the same folder; None for an image without a mask."""
NO_MASK = -2
"""Stands for the size of a mask where the image has none."""


@dataclass(frozen=True, eq=False)
class FileSet:
    """Images by their paths below one folder, each once."""

    names_N: npt.NDArray[np.bytes_]
    labels_N: npt.NDArray[np.int32]
    sizes_N: npt.NDArray[np.int64]
    """Bytes; MISSING where there is no such file."""
    mask_sizes_N: npt.NDArray[np.int64]
    """The same; NO_MASK where the image has no mask."""
    digest: str
    left_out_names: npt.NDArray[np.bytes_]
    """Files next to the images that are none, of any number."""

    def __len__(self) -> int:
        return len(self.names_N)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Files next to the images that are none."""
        return tuple(_decoded(self.left_out_names))

    def missing_masks(self, mask_name: MaskName) -> list[str]:
        """Return the masks that are missing."""
        return [mask for name in self._names(self.mask_sizes_N) if (mask := mask_name(name))]

    def missing_images(self) -> list[str]:
        """Return the images that are missing."""
        return self._names(self.sizes_N)

    def _names(self, sizes_N: npt.NDArray[np.int64]) -> list[str]:
        return [os.fsdecode(bytes(name)) for name in self.names_N[sizes_N == MISSING]]


@dataclass(frozen=True)
class DataFiles:
    """The files to train on and those that are held out, and the names of their classes by label."""

    class_names: tuple[str, ...]
    train: FileSet
    val: FileSet
    """Those that the publisher calls validation images."""


def file_set(
    root: Path,
    names: Sequence[str],
    labels: Sequence[int],
    folders: Folders,
    *,
    mask_name: MaskName,
    oversample_masked: int = 1,
    left_out: Sequence[str] = (),
) -> FileSet:
    """Return the images `names` below `root`, with their sizes and those of their masks.

    Args:
        folders: Lists their folders.
        oversample_masked: How often an image with a mask counts in the digest.
        left_out: Files next to the images that are none.
    """
    masks = [mask_name(name) for name in names]
    parents = {parent for name in (*names, *masks) if name for parent in [name.rpartition("/")[0]]}
    folders.read(root / parent for parent in sorted(parents))
    sizes = {parent: folders.sizes(root / parent) for parent in parents}

    def size(name: str) -> int:
        parent, _, file = name.rpartition("/")
        return sizes[parent].get(file, MISSING)

    sizes_N = [size(name) for name in names]
    mask_sizes_N = [NO_MASK if mask is None else size(mask) for mask in masks]
    lines = []
    for name, label, num_bytes, mask, mask_bytes in zip(names, labels, sizes_N, masks, mask_sizes_N, strict=True):
        line = f"{digest_part(name, num_bytes)}\t{label}\t{digest_part(mask, mask_bytes)}\n"
        lines += [line] * (oversample_masked if mask else 1)
    return FileSet(
        names_N=_encoded(names),
        labels_N=np.array(labels, dtype=np.int32),
        sizes_N=np.array(sizes_N, dtype=np.int64),
        mask_sizes_N=np.array(mask_sizes_N, dtype=np.int64),
        digest=digest_of(lines),
        left_out_names=_encoded(left_out),
    )


def digest_part(name: str | None, size: int) -> str:
    """Return the text for one file in a digest: its path below the root, and its size in bytes."""
    return "-" if name is None else f"{PurePosixPath(name)}\t{'missing' if size == MISSING else size}"


def digest_of(lines: Sequence[str]) -> str:
    """Return the digest of images, in any order; each line has an image's file, label and mask."""
    return short_hash(sorted(lines))


@dataclass(frozen=True)
class FileIndex:
    """A folder with one index per data set; an index is valid until a folder that it lists has changed."""

    folder: Path | None = None
    """None keeps nothing: each call lists the files."""
    list_folders: ListFolders = list_folders
    """Lists folders."""

    def files(self, config: Listed, find: Callable[[Listed, Folders], DataFiles]) -> DataFiles:
        """Return the files of `config` from the stored index, or from `find`, whose result is then stored.

        Several processes may build the same index: each writes a file of its own and renames it. An index that is out
        of date or cannot be read is built again. One that cannot be written is a warning.

        Raises:
            ConfigError: The files are not as `config` needs them.
        """
        if self.folder is None:
            return find(config, Folders(self.list_folders))
        path = self.folder / f"{_key(config)}.npz"
        stored = _read(path)
        if stored is not None:
            return stored
        started_ns, folders = time.time_ns(), Folders(self.list_folders)
        files = find(config, folders)
        if max(folders.changed_ns.values()) <= started_ns - _SETTLED_NS:
            _write(path, files, folders.changed_ns)
        return files


NO_INDEX = FileIndex()


def _key(config: ImageNetS | HardImageNet) -> str:
    settings = config.model_dump(mode="json", exclude=set(_NOT_IN_THE_KEY))
    return f"{config.kind}-{short_hash([json.dumps([_FORMAT, settings], sort_keys=True)])}"


def _write(path: Path, files: DataFiles, changed_ns: dict[str, int]) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    arrays: dict[str, Any] = {
        "class_names": _encoded(files.class_names),
        "folders": _encoded(changed_ns),
        "changed_ns": np.array(list(changed_ns.values()), dtype=np.int64),
        **dict(_arrays(files)),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        partial.replace(path)
    except OSError as error:
        logger.warning("the index of the data's files cannot be stored, and each trial builds it again: %s", error)
        with suppress(OSError):
            partial.unlink()


def _arrays(files: DataFiles) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    for split in _SPLITS:
        for field in fields(FileSet):
            yield f"{split}.{field.name}", np.asarray(getattr(getattr(files, split), field.name))


def _read(path: Path) -> DataFiles | None:
    """Return the stored files; None where there is no index, it cannot be read, or a folder has changed."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            folders, changed_ns = _decoded(arrays["folders"]), arrays["changed_ns"].tolist()
            if modified_ns(folders) != changed_ns:
                logger.info("%s: a folder has changed; the index is built again", path)
                return None
            return DataFiles(tuple(_decoded(arrays["class_names"])), *(_file_set(arrays, split) for split in _SPLITS))
    except _READ_ERRORS as error:
        logger.warning("%s cannot be read and is built again: %s", path, error)
        return None


def _file_set(arrays: "np.lib.npyio.NpzFile", split: str) -> FileSet:
    stored: dict[str, Any] = {field.name: arrays[f"{split}.{field.name}"] for field in fields(FileSet)}
    return FileSet(**{**stored, "digest": str(stored["digest"])})


def _encoded(names: Iterable[str]) -> npt.NDArray[np.bytes_]:
    return np.array([os.fsencode(name) for name in names], dtype=np.bytes_)


def _decoded(names: npt.NDArray[np.bytes_]) -> list[str]:
    return [os.fsdecode(bytes(name)) for name in names]
