"""Images by their names in one folder, held as text and not as objects: ImageNet has more than a million.

Shape letter: N images.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trainables.data.file_set import NO_MASK, FileSet, MaskName
from trainables.data.image_file import ImageFile, image_ids


class FileList:
    """An `ImageFileList` that makes each image from its file's name as it is asked for.

    Args:
        folder: what the names are relative to.
        files: the images, `.../<class>/<file>`.
        mask_name: a file's mask, relative to the folder too; None where it has none.
        oversample_masked: how often an image with a mask comes, each another copy of it.
    """

    def __init__(self, folder: Path, files: FileSet, *, mask_name: MaskName, oversample_masked: int = 1) -> None:
        self._folder = folder
        self._files = files
        self._mask_name = mask_name
        repeats_N = np.where(files.mask_sizes_N == NO_MASK, 1, oversample_masked)
        self._rows_N = np.repeat(np.arange(len(files), dtype=np.int32), repeats_N)
        starts_N = np.cumsum(repeats_N) - repeats_N
        self._copies_N = (np.arange(len(self._rows_N)) - np.repeat(starts_N, repeats_N)).astype(np.int32)

    def __len__(self) -> int:
        return len(self._rows_N)

    def __getitem__(self, index: int, /) -> ImageFile:
        row, copy = int(self._rows_N[index]), int(self._copies_N[index])
        name = os.fsdecode(bytes(self._files.names_N[row]))
        mask = self._mask_name(name)
        (id_,) = image_ids([Path(*name.split("/")[-2:])])
        return ImageFile(
            path=self._folder / name,
            mask_path=None if mask is None else self._folder / mask,
            label=int(self._files.labels_N[row]),
            id=f"{id_}-copy{copy}" if copy else id_,
        )

    def __iter__(self) -> Iterator[ImageFile]:
        return (self[index] for index in range(len(self)))
