"""Lists of a data set's files, kept so that a million files are looked at once and not by every trial."""

import json
import logging
import os
import secrets
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from trainables.config import HardImageNet, ImageNetS
from trainables.data.file_set import DataFiles, FileSet
from trainables.data.folders import Folders, ListFolders, list_folders, modified_ns
from trainables.data.image_file import short_hash

logger = logging.getLogger(__name__)

Listed = TypeVar("Listed", bound=ImageNetS | HardImageNet)
_FORMAT = 1
_NO_PART_OF_THE_LIST = frozenset(
    {
        "augmentation",
        "cache",
        "cache_leaves_gib",
        "image_size",
        "loader_processes",
        "on_error",
        "prefetch_batches",
        "shift",
    }
)
"""Settings that change nothing about which files there are."""
_SETTLED_NS = 2 * 10**9
"""A folder that changed this shortly before it was listed may change again without its time telling."""
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""What numpy raises where a file is none of its archives, or cut short."""
_SPLITS = ("train", "val")


@dataclass(frozen=True)
class FileIndex:
    """A folder of lists, one a data set; it holds for as long as no folder that was listed has changed."""

    folder: Path | None = None
    """None keeps nothing: each call looks at the files."""
    list_folders: ListFolders = list_folders
    """How to look at folders."""

    def files(self, config: Listed, find: Callable[[Listed, Folders], DataFiles]) -> DataFiles:
        """Return the files of `config`, from the list that was kept, or from `find` and then kept.

        Several processes may make the same list: each writes a file of its own and renames it. What is out of date or
        cannot be read is made anew; what cannot be written is a warning.

        Raises:
            ConfigError: The files are not as `config` needs them.
        """
        if self.folder is None:
            return find(config, Folders(self.list_folders))
        path = self.folder / f"{_key(config)}.npz"
        kept = _read(path)
        if kept is not None:
            return kept
        started_ns, folders = time.time_ns(), Folders(self.list_folders)
        files = find(config, folders)
        if max(folders.changed_ns.values()) <= started_ns - _SETTLED_NS:
            _write(path, files, folders.changed_ns)
        return files


NO_INDEX = FileIndex()


def _key(config: ImageNetS | HardImageNet) -> str:
    settings = config.model_dump(mode="json", exclude=set(_NO_PART_OF_THE_LIST))
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
        logger.warning("the list of the data's files is not kept, and each trial makes it anew: %s", error)
        with suppress(OSError):
            partial.unlink()


def _arrays(files: DataFiles) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    for split in _SPLITS:
        for field in fields(FileSet):
            yield f"{split}.{field.name}", np.asarray(getattr(getattr(files, split), field.name))


def _read(path: Path) -> DataFiles | None:
    """Return what the list holds; None where there is none, or it cannot be read, or a folder has changed."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            folders, changed_ns = _decoded(arrays["folders"]), arrays["changed_ns"].tolist()
            if modified_ns(folders) != changed_ns:
                logger.info("%s: a folder has changed, and the list is made anew", path)
                return None
            return DataFiles(tuple(_decoded(arrays["class_names"])), *(_file_set(arrays, split) for split in _SPLITS))
    except _BROKEN as error:
        logger.warning("%s cannot be read, and is made anew: %s", path, error)
        return None


def _file_set(arrays: "np.lib.npyio.NpzFile", split: str) -> FileSet:
    found: dict[str, Any] = {field.name: arrays[f"{split}.{field.name}"] for field in fields(FileSet)}
    return FileSet(**{**found, "digest": str(found["digest"])})


def _encoded(names: "tuple[str, ...] | dict[str, int]") -> npt.NDArray[np.bytes_]:
    return np.array([os.fsencode(name) for name in names])


def _decoded(names: npt.NDArray[np.bytes_]) -> list[str]:
    return [os.fsdecode(bytes(name)) for name in names]
