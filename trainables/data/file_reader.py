"""Image and mask files: their pixels, turned as EXIF says.

Shape letters: C channels, H W image height and width.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image
from torchvision import tv_tensors

from trainables.config import DataConfig, check_regular
from trainables.config.images import MAX_IMAGE_PIXELS
from trainables.data.array_file import ARRAY_IMAGES, Source
from trainables.data.image_cache import ImageCache, cache_of
from trainables.data.image_file import ImageError

Pixels = npt.NDArray[np.uint8]
Values = TypeVar("Values", bound=npt.NDArray[np.integer[Any]])
UPRIGHT = 1
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation."""
SIDEWAYS = frozenset({5, 6, 7, 8})
"""The orientations that swap height and width."""
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, NotImplementedError, struct.error, zlib.error)
"""What PIL, NumPy and SciPy raise for a file that is missing, truncated, damaged or no image."""
_EXIF_ERRORS = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error)
"""What PIL raises for EXIF data that are broken, which is no reason to refuse the pixels."""


@dataclass(frozen=True)
class FileReader:
    """Reads image and mask files, each turned as its own EXIF orientation says."""

    cache: ImageCache | None = None
    """Holds copies of the files."""
    max_pixels: int = MAX_IMAGE_PIXELS
    """Width times height of the largest image that is decoded."""

    def read(self, path: Path, values: Callable[[Image.Image], Values]) -> Values:
        """Return `values` of an image or mask file, read from its copy where there is one.

        Raises:
            ImageError: It is missing, corrupt or too large, or `values` raises ValueError.
        """
        try:
            check_regular(path)
        except (OSError, ValueError) as error:
            raise ImageError(f"{path} cannot be read ({getattr(error, 'strerror', error)})") from error
        if self.cache is not None:
            try:
                return self._values(self.cache.source(path), values, path.suffix)
            except _DECODING_ERRORS:  # Of the copy, or of the original, which then fails below too.
                self.cache.forget(path)
        try:
            return self._values(path, values, path.suffix)
        except _DECODING_ERRORS as error:
            reason = error if path.stat().st_size else "it is empty"
            raise ImageError(f"{path} cannot be read ({reason})") from error

    def content(self, path: Path) -> bytes:
        """Return a file's bytes, read from its copy where there is one.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no regular file.
        """
        check_regular(path)
        if self.cache is not None:
            with suppress(OSError):  # Of the copy, or of the original, which then fails below too.
                source = self.cache.source(path)
                return source.read_bytes() if isinstance(source, Path) else source.getvalue()
        return path.read_bytes()

    def orientation(self, path: Path) -> int:
        """Return the EXIF orientation of an image that can be read, from its copy where there is one."""
        with opened(path if self.cache is None else self.cache.source(path), path.suffix) as image:
            return orientation(image)

    def _values(self, source: Source, values: Callable[[Image.Image], Values], ending: str) -> Values:
        with opened(source, ending) as image:
            if image.width * image.height > self.max_pixels:
                raise ValueError(
                    f"it has {image.width} x {image.height} pixels, more than data.max_image_pixels = "
                    f"{self.max_pixels}; set data.max_image_pixels higher, or save it smaller"
                )
            return values(upright(image))


def reader_of(config: DataConfig) -> FileReader:
    """Return the reader of a config's files."""
    return FileReader(cache_of(config), config.max_image_pixels)


def decode_image(path: Path, reader: FileReader) -> tv_tensors.Image:
    """Return the pixels of an image file, uint8 CHW in RGB; ImageError where it cannot be read."""
    return tv_tensors.Image(torch.from_numpy(reader.read(path, _rgb)).permute(2, 0, 1))


def upright(image: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF orientation says, as viewers show it."""
    image.load()  # Pillow turns a TIFF file as it loads it, and removes the orientation.
    turn = TURNS.get(orientation(image))
    if turn is None:
        return image
    turned = image.transpose(turn)
    turned.format = image.format
    return turned


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8; UPRIGHT where it has none."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except _EXIF_ERRORS:
        return UPRIGHT
    return found if isinstance(found, int) and found in TURNS else UPRIGHT


def orientation_of(path: Path) -> int:
    """Return the EXIF orientation of a file that can be read."""
    with opened(path, path.suffix) as image:
        return orientation(image)


@contextmanager
def opened(source: Source, ending: str) -> Iterator[Image.Image]:
    """Open an image file, or an array of its ending, without Pillow's limit of pixels, which a process has once."""
    if ending.lower() in ARRAY_IMAGES:
        yield ARRAY_IMAGES[ending.lower()](source)
        return
    with _NO_LIMIT, Image.open(source) as image:
        yield image


class _NoLimit:
    """Lifts Pillow's limit of pixels while any thread is within; the last one to leave puts it back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._num_within = 0
        self._limit: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._num_within:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._num_within += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._num_within -= 1
            if not self._num_within:
                Image.MAX_IMAGE_PIXELS = self._limit


_NO_LIMIT = _NoLimit()


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
