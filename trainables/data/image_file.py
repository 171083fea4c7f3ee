"""One image on disk: its path, its id, and its pixels.

Shape letters: C channels, H W image height and width.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torchvision import tv_tensors

from trainables.config import check_regular
from trainables.data.image_cache import ImageCache

Pixels = npt.NDArray[np.uint8]
Values = TypeVar("Values", bound=npt.NDArray[np.integer[Any]])
_MAX_ID_BYTES = 200  # A file name may have 255, and an id gets an ending.
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, NotImplementedError, Image.DecompressionBombError)
"""What PIL raises for a file that is missing, truncated or no image."""


class ImageError(ValueError):
    """An image or mask that cannot be used; the message names the file and says what to do."""


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


def decode_image(path: Path, cache: ImageCache | None = None) -> tv_tensors.Image:
    """Return the pixels of an image file, uint8 CHW in RGB; ImageError where it cannot be read."""
    return tv_tensors.Image(torch.from_numpy(read_file(path, _rgb, cache)).permute(2, 0, 1))


def read_file(path: Path, values: Callable[[Image.Image], Values], cache: ImageCache | None) -> Values:
    """Return `values` of an image or mask file, read from its copy where there is one.

    Raises:
        ImageError: It is missing or corrupt, or `values` raises ValueError.
    """
    try:
        check_regular(path)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read ({getattr(error, 'strerror', error)})") from error
    if cache is not None:
        try:
            with Image.open(cache.source(path)) as image:
                return values(image)
        except _DECODING_ERRORS:  # Of the copy, or of the original, which then fails below too.
            cache.forget(path)
    try:
        with Image.open(path) as image:
            return values(image)
    except _DECODING_ERRORS as error:
        raise ImageError(f"{path} cannot be read ({error})") from error


def _rgb(image: Image.Image) -> Pixels:
    """Return HWC in 8 bits; 16 bits are scaled, and 32 bits are refused because their range is unknown."""
    if image.mode in ("I", "F"):
        raise ValueError(
            f"its pixels have 32 bits (mode {image.mode}), so that the values of black and white are unknown; "
            "save it with 8 or 16 bits a channel"
        )
    if image.mode.startswith("I;16"):
        grey_HW = np.array(image).astype(np.float32) / 257
        return np.stack([grey_HW.round().astype(np.uint8)] * 3, axis=-1)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)
