"""Pictures by their names in one folder, held as text and not as objects: ImageNet has more than a million.

Shape letter: N pictures.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainables.data.photos import Photo, photo_ids


class FileList:
    """A `PhotoList` that makes each picture from its file's name as it is asked for.

    Args:
        folder: what the names are relative to.
        names: files, `.../<class>/<file>`; a name that comes again is another copy of the same picture.
        labels: the label of each.
        mask_name: a file's mask, relative to the folder too; None where it has none.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], labels: Sequence[int], *, mask_name: Callable[[str], str | None]
    ) -> None:
        self._folder = folder
        self._names_N = np.array([os.fsencode(name) for name in names])
        self._labels_N = np.array(labels, dtype=np.int32)
        self._copies_N = _copies(names)
        self._mask_name = mask_name

    def __len__(self) -> int:
        return len(self._names_N)

    def __getitem__(self, index: int, /) -> Photo:
        name = os.fsdecode(bytes(self._names_N[index]))
        mask = self._mask_name(name)
        (id_,) = photo_ids([Path(*name.split("/")[-2:])])
        copy = int(self._copies_N[index])
        return Photo(
            path=self._folder / name,
            mask_path=None if mask is None else self._folder / mask,
            label=int(self._labels_N[index]),
            id=f"{id_}-copy{copy}" if copy else id_,
        )

    def __iter__(self) -> Iterator[Photo]:
        return (self[index] for index in range(len(self)))


def _copies(names: Sequence[str]) -> npt.NDArray[np.int32]:
    """Return how often each name stands before."""
    seen: dict[str, int] = {}
    copies_N = np.zeros(len(names), dtype=np.int32)
    for index, name in enumerate(names):
        copies_N[index] = seen.get(name, 0)
        seen[name] = int(copies_N[index]) + 1
    return copies_N
