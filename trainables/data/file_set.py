"""The files of a data set as arrays: ImageNet has more than a million.

Shape letter: N images.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from trainables.data.folders import MISSING, Folders
from trainables.data.image_file import short_hash

MaskName = Callable[[str], str | None]
"""From an image to its mask, both as paths below the same folder; None where it has none."""
NO_MASK = -2
"""The size of a mask that no image has."""


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

    def __len__(self) -> int:
        return len(self.names_N)

    def missing_masks(self, mask_name: MaskName) -> list[str]:
        """Return the masks that are not there."""
        return [mask for name in self._names(self.mask_sizes_N) if (mask := mask_name(name))]

    def missing_images(self) -> list[str]:
        """Return the images that are not there."""
        return self._names(self.sizes_N)

    def _names(self, sizes_N: npt.NDArray[np.int64]) -> list[str]:
        return [os.fsdecode(bytes(name)) for name in self.names_N[sizes_N == MISSING]]


@dataclass(frozen=True)
class DataFiles:
    """The training and the validation set's files, and the names of their classes by label."""

    class_names: tuple[str, ...]
    train: FileSet
    val: FileSet


def file_set(
    root: Path,
    names: Sequence[str],
    labels: Sequence[int],
    folders: Folders,
    *,
    mask_name: MaskName,
    oversample_masked: int = 1,
) -> FileSet:
    """Return the images `names` below `root`, with their sizes and those of their masks.

    Args:
        folders: Lists the folders in which they lie.
        oversample_masked: How often an image with a mask counts in the digest.
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
        names_N=np.array([os.fsencode(name) for name in names]),
        labels_N=np.array(labels, dtype=np.int32),
        sizes_N=np.array(sizes_N, dtype=np.int64),
        mask_sizes_N=np.array(mask_sizes_N, dtype=np.int64),
        digest=digest_of(lines),
    )


def digest_part(name: str | None, size: int) -> str:
    """Return what stands for a file in a digest: its path below the root, and its size in bytes."""
    return "-" if name is None else f"{PurePosixPath(name)}\t{'missing' if size == MISSING else size}"


def digest_of(lines: Sequence[str]) -> str:
    """Return the digest of images, each a line of its file, its label and its mask, in any order."""
    return short_hash(sorted(lines))
