"""The images of a table as arrays, so that a million rows are no million objects.

Shape letter: N rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import torch
from torch import Tensor

from trainables.data.box_column import BoxColumn
from trainables.data.file_index import digest_of, digest_part
from trainables.data.folders import MISSING, Folders
from trainables.data.image_file import ImageFile, image_id, joined_stem
from trainables.data.image_list import ImageList

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImageTable:
    """All rows of a table, whatever their split."""

    root: Path
    folder: PurePosixPath
    """The folder below `root` that holds the images."""
    paths: Any
    """Array of N paths below the folder."""
    labels_N: Ints
    groups_N: Ints | None
    group_names: tuple[str, ...]
    group_uncommon: tuple[tuple[str, ...], ...] = ()
    """For each group, the columns whose value is uncommon for its class; empty where groups are of several classes."""
    masks: Any | None = None
    """Array of N paths below the root, null for an image without a mask."""
    more_masks: Sequence[tuple[str, ...]] = ()
    """For each row the paths below the root of further files that its mask is made of; empty where it is one file."""
    mask_values_N: Ints | None = None
    """The value of each mask's object."""
    boxes: BoxColumn | None = None
    weights_N: Floats | None = None
    """How much each image's loss counts; None where all count alike."""
    sources_N: Ints | None = None
    """Each image's source, such as a patient; None where each image is its own."""
    shared_stems: frozenset[str] = frozenset()
    """The joined stems that several paths have."""

    def __len__(self) -> int:
        return len(self.labels_N)

    def have_masks(self) -> Bools:
        """Return whether each row has a mask or boxes."""
        has_N = np.zeros(len(self), dtype=np.bool_)
        if self.masks is not None:
            has_N |= pc.is_valid(self.masks).to_numpy(zero_copy_only=False)
        if self.boxes is not None:
            has_N |= np.diff(self.boxes.ends_N, prepend=0) > 0
        return has_N

    def image_name(self, row: int) -> str:
        """Return the path of an image below the root."""
        path: str = self.paths[row].as_py()
        return path if self.folder == PurePosixPath() else f"{self.folder}/{path}"

    def mask_name(self, row: int) -> str | None:
        """Return the path of an image's mask below the root; None where it has no mask in a file."""
        mask: str | None = None if self.masks is None else self.masks[row].as_py()
        return mask

    def mask_names(self, row: int) -> list[str]:
        """Return the paths of all files of an image's mask below the root."""
        mask = self.mask_name(row)
        return [] if mask is None else [mask, *(self.more_masks[row] if self.more_masks else ())]

    def image(self, row: int) -> ImageFile:
        """Return the image of a row."""
        path = PurePosixPath(self.paths[row].as_py())
        masks = [self.root / name for name in self.mask_names(row)]
        return ImageFile(
            path=self.root / self.folder / path,
            mask_path=masks[0] if masks else None,
            label=int(self.labels_N[row]),
            id=image_id(path, is_unique=joined_stem(path) not in self.shared_stems),
            mask_value=None if self.mask_values_N is None else int(self.mask_values_N[row]),
            boxes=None if self.boxes is None else self.boxes[row],
            weight=None if self.weights_N is None else float(self.weights_N[row]),
            more_masks=tuple(masks[1:]),
        )

    def images(self, rows_N: Ints, sizes: "FileSizes") -> ImageList:
        """Return the images of some rows."""
        groups_N: Tensor | None = None if self.groups_N is None else torch.from_numpy(self.groups_N[rows_N])
        return ImageList(
            TableRows(self, rows_N),
            self.root,
            digest=digest_of([self._digest_line(int(row), sizes) for row in rows_N]),
            groups_N=groups_N,
            group_names=self.group_names,
            group_uncommon=self.group_uncommon,
            sources_N=None if self.sources_N is None else torch.from_numpy(self.sources_N[rows_N]),
        )

    def _digest_line(self, row: int, sizes: "FileSizes") -> str:
        image, mask = self.image_name(row), self.mask_name(row)
        fields = [
            digest_part(image, sizes.of(image)),
            str(self.labels_N[row]),
            digest_part(mask, MISSING if mask is None else sizes.of(mask)),
        ]
        fields += [digest_part(name, sizes.of(name)) for name in self.mask_names(row)[1:]]
        if self.mask_values_N is not None:
            fields.append(str(self.mask_values_N[row]))
        if self.groups_N is not None:
            fields.append(self.group_names[self.groups_N[row]])
        if self.sources_N is not None:
            fields.append(f"source {self.sources_N[row]}")
        if self.boxes is not None:
            fields.append(self.boxes.text(row))
        if self.weights_N is not None:
            fields.append(f"{self.weights_N[row]:.17g}")
        return "\t".join(fields) + "\n"


@dataclass(frozen=True, eq=False)
class TableRows:
    """An `ImageFileList` that makes each image from its row as it is asked for."""

    table: ImageTable
    rows_N: Ints

    def __len__(self) -> int:
        return len(self.rows_N)

    def labels(self) -> Ints:
        return self.table.labels_N[self.rows_N]

    def have_masks(self) -> Bools:
        return self.table.have_masks()[self.rows_N]

    def __getitem__(self, index: int, /) -> ImageFile:
        return self.table.image(int(self.rows_N[index]))

    def __iter__(self) -> Iterator[ImageFile]:
        return (self[index] for index in range(len(self)))


class FileSizes:
    """Sizes in bytes of files below a folder, from the listings of their folders."""

    def __init__(self, root: Path, folders: Folders) -> None:
        self._root = root
        self._folders = folders
        self._sizes: dict[str, dict[str, int]] = {}

    def read(self, parents: set[str]) -> None:
        """List folders together, which is faster than one after the other."""
        self._folders.read(self._root / parent for parent in sorted(parents))

    def of(self, name: str) -> int:
        """Return the size of a file; MISSING where there is none."""
        parent, _, file = name.rpartition("/")
        if parent not in self._sizes:
            self._sizes[parent] = self._folders.sizes(self._root / parent)
        return self._sizes[parent].get(file, MISSING)
