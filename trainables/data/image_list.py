"""Lists of images: in memory, in a text file, and as arrays of a million names.

Shape letter: N images.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from trainables.config import ConfigError, check_regular
from trainables.data.file_index import NO_MASK, FileSet, MaskName
from trainables.data.folders import first_few
from trainables.data.image_file import ImageFile, image_ids
from trainables.data.image_names import composed

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class ImageFileList(Protocol):
    """Images in order, with unique ids; a list of them, or what makes each as it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> ImageFile: ...

    def __iter__(self) -> Iterator[ImageFile]: ...


@runtime_checkable
class Listed(Protocol):
    """An `ImageFileList` that knows its labels and masks without making its images."""

    def labels(self) -> Ints:
        """Return the label of each image."""

    def have_masks(self) -> Bools:
        """Return whether each image has a mask or boxes."""


def labels_of(files: ImageFileList) -> Ints:
    """Return the label of each image, which a list or a folder gives."""
    if isinstance(files, Listed):
        return files.labels()
    return np.array([file.label for file in files], dtype=np.int64)


def have_masks(files: ImageFileList) -> Bools:
    """Return whether each image has a mask or boxes."""
    if isinstance(files, Listed):
        return files.have_masks()
    return np.array([file.mask_path is not None or file.boxes is not None for file in files], dtype=np.bool_)


@dataclass(frozen=True)
class ImageList:
    """The images of one set."""

    files: ImageFileList
    root: Path
    """The folder to which the digest takes file names relative."""
    digest: str | None = None
    """The digest, where it is known; None computes it from the files."""
    groups_N: Tensor | None = None
    """Each image's group, int64; None where images have none."""
    group_names: tuple[str, ...] = ()
    """Names by group."""
    group_uncommon: tuple[tuple[str, ...], ...] = ()
    """By group, what is uncommon in it for its class, such as the background; empty where that is not known."""
    sources_N: Tensor | None = None
    """Each image's source, such as a patient, int64; None where each image is its own."""
    left_out: tuple[str, ...] = ()
    """Files that are not read, since their endings are not those of images."""


class FileList:
    """An `ImageFileList` that makes each image from its file's name as it is asked for.

    Args:
        folder: The folder to which the names are relative.
        files: The images, `.../<class>/<file>`.
        mask_name: Returns a file's mask, relative to the folder too; None where it has none.
        oversample_masked: How many times an image with a mask is listed, each with an id of its own.
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

    def labels(self) -> Ints:
        return self._files.labels_N[self._rows_N].astype(np.int64)

    def have_masks(self) -> Bools:
        has_N: Bools = self._files.mask_sizes_N[self._rows_N] != NO_MASK
        return has_N

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


def read_lines(path: Path, *, remedy: str) -> dict[str, str]:
    """Return the lines of a text file by their place, `<path>, line <number>`, without comments and empty lines.

    Args:
        remedy: Ends the message about a missing file: which layout is expected, and what to set.

    Raises:
        ConfigError: The file cannot be read, is not in UTF-8, or lists nothing.
    """
    try:
        check_regular(path)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"data.root: {path} cannot be read ({error.strerror}); {remedy}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"data.root: {path} is not in UTF-8: {error}") from error
    lines = {
        f"{path}, line {number}": line
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    }
    if not lines:
        raise ConfigError(f"data.root: {path} lists no images")
    return lines


def check_once(path: Path, names: Iterable[str]) -> None:
    """Raise ConfigError where a list names an image more than once, perhaps in two Unicode forms."""
    twice = sorted(name for name, count in Counter(map(composed, names)).items() if count > 1)
    if twice:
        raise ConfigError(f"data.root: {path} lists more than once: {', '.join(twice)}")


def check_apart(train: Path, train_names: Iterable[str], val: Path, val_names: Iterable[str]) -> None:
    """Raise ConfigError where an image is in both lists."""
    both = sorted(set(map(composed, train_names)) & set(map(composed, val_names)))
    if both:
        raise ConfigError(
            f"data.root: {train} and {val} both list {len(both)} of the images: {first_few(both)}; "
            "an image must be in only one of them"
        )
