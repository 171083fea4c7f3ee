"""Image and mask files as tensors.

Shape letters: C channels, H W image height and width.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors

from trainables.data.image_cache import ImageCache
from trainables.data.image_file import ImageFile

ReadMask = Callable[[Tensor, int | None], Tensor]
"""From the values of a mask file, HW, and the image's label to what is cropped with the image.

True where the object is; or, in 8 bits, BACKGROUND, OBJECT and IGNORED; or a class map. ValueError says what is no
mask.
"""
BACKGROUND, OBJECT, IGNORED = 0, 1, 2

_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, NotImplementedError, Image.DecompressionBombError)
"""What PIL raises for a file that is missing, truncated or no image."""
Pixels = npt.NDArray[np.uint8]
MaskValues = Callable[[Image.Image], npt.NDArray[np.uint8] | npt.NDArray[np.int32]]
"""From a mask file to its values, HW."""
Values = TypeVar("Values", bound=npt.NDArray[np.integer[Any]])


class ImageError(ValueError):
    """An image or mask that cannot be used; the message names the file and says what to do."""


def decode(
    image_file: ImageFile, mask_values: MaskValues, read_mask: ReadMask, cache: ImageCache | None = None
) -> tuple[tv_tensors.Image, tv_tensors.Mask | None]:
    """Return the image and what its mask says of it, both as they lie on disk.

    Raises:
        ImageError: A file is missing or corrupt, or the mask is none of this data set or of another shape.
    """
    image_CHW = torch.from_numpy(_read(image_file.path, _colours, cache)).permute(2, 0, 1)
    if image_file.mask_path is None:
        return tv_tensors.Image(image_CHW), None
    mask_HW = torch.from_numpy(_read(image_file.mask_path, mask_values, cache))
    if mask_HW.shape != image_CHW.shape[1:]:
        raise ImageError(
            f"{image_file.mask_path} has shape {tuple(mask_HW.shape)}, but its image {image_file.path} has "
            f"height and width {tuple(image_CHW.shape[1:])}"
        )
    try:
        read_HW = read_mask(mask_HW, image_file.label)
    except ValueError as error:
        raise ImageError(f"{image_file.mask_path} {error}") from error
    return tv_tensors.Image(image_CHW), tv_tensors.Mask(read_HW)


def anything(values_HW: Tensor, _: int | None) -> Tensor:
    """Return as object what is not 0."""
    return values_HW.bool()


def _read(path: Path, values: Callable[[Image.Image], Values], cache: ImageCache | None) -> Values:
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


def _colours(image: Image.Image) -> Pixels:
    """Return HWC in 8 bits; those of 16 are scaled, and those of 32, whose range no file tells, are refused."""
    if image.mode in ("I", "F"):
        raise ValueError(
            f"its pixels have 32 bits, of which black and white are not known (mode {image.mode}); "
            "save it with 8 or 16 bits a channel"
        )
    if image.mode.startswith("I;16"):
        grey_HW = np.array(image).astype(np.float32) / 257
        return np.stack([grey_HW.round().astype(np.uint8)] * 3, axis=-1)
    return np.array(image.convert("RGB"), dtype=np.uint8)


def grey_values(image: Image.Image) -> Pixels:
    """Return the values of a mask as they are."""
    values = np.array(image)
    if values.dtype.kind == "f" or (values.size and (values.min() < 0 or values.max() > 255)):
        raise ValueError(
            f"its values go from {values.min()} to {values.max()} (mode {image.mode}); "
            "a mask has whole numbers from 0 to 255"
        )
    return values.astype(np.uint8)
