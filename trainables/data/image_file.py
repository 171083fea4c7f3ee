"""One image on disk: its path and its id."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import NamedTuple

_MAX_ID_BYTES = 200  # A file name may have 255, and an id gets an ending.


class ImageError(ValueError):
    """An image or mask that cannot be used; the message names the file and says what to do."""


class MaskSizeError(ImageError):
    """A mask that has another size than its image."""


class Boxes(NamedTuple):
    """Boxes around the object of an image."""

    corners: tuple[tuple[float, float, float, float], ...]
    """Left, top, right and bottom of each, in pixels from the image's corner; right and bottom are outside."""
    where: str
    """Where they were read, for messages."""


class ImageFile(NamedTuple):
    """One image on disk."""

    path: Path
    mask_path: Path | None
    label: int | None
    """None where the mask says which classes the image shows."""
    id: str
    mask_value: int | None = None
    """The value of the object's pixels in the mask; None where it is the label, or needs none."""
    boxes: Boxes | None = None
    """In place of a mask."""
    weight: float | None = None
    """How much its loss counts in training; None where all count alike."""
    more_masks: tuple[Path, ...] = ()
    """Further files that its mask is made of."""


def image_ids(relative_paths: Iterable[Path]) -> list[str]:
    """Return an id for each file: folders and stem joined by `__`.

    An id that is too long for a file name, or that two files share, is cut to fit and ends with a hash of the path.
    """
    paths = list(relative_paths)
    count = Counter(map(joined_stem, paths))
    return [image_id(path, is_unique=count[joined_stem(path)] == 1) for path in paths]


def joined_stem(path: PurePath) -> str:
    """Return folders and stem joined by `__`, which is an image's id where no other image has it."""
    return "__".join(path.with_suffix("").parts)


def image_id(path: PurePath, *, is_unique: bool) -> str:
    """Return the id of one file, of whose joined stem it is known whether another file has the same."""
    name = joined_stem(path)
    return name if is_unique and len(os.fsencode(name)) <= _MAX_ID_BYTES else _with_hash(name, path)


def _with_hash(name: str, path: PurePath) -> str:
    end = f"-{short_hash([path.as_posix()])}"
    head = os.fsencode(name)[: _MAX_ID_BYTES - len(end)].decode(errors="ignore")
    return head + end


def short_hash(texts: Iterable[str]) -> str:
    """Return the first 16 hex digits of the SHA-256 of the joined texts; file names need not be valid UTF-8."""
    sha = hashlib.sha256()
    for text in texts:
        sha.update(text.encode(errors="surrogateescape"))
    return sha.hexdigest()[:16]
