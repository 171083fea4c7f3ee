"""What the masks of a data set mean: where an image's background is, or which class each pixel shows.

A mask is decoded to a map in 8 bits, which is cropped together with its image. The map of an `ObjectMask` holds
BACKGROUND, OBJECT and IGNORED; that of a `ClassMask` is a class map, which holds k + 1 on class k, 0 on background
and IGNORED on what is neither.
B batch, K classes, C channels, H W image height and width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from trainables.config.masks import MaskFrame
from trainables.data.batch import Batch
from trainables.data.file_reader import SIDEWAYS, FileReader, orientation_of
from trainables.data.image_file import ImageError, ImageFile, MaskSizeError
from trainables.data.masks.frame import out_of_frame, size_in_frame
from trainables.data.masks.levels import class_values, note_on_values
from trainables.data.masks.values import is_lit

OBJECT, BACKGROUND, IGNORED = 0, 1, 255

MaskValues = Callable[[Image.Image], npt.NDArray[np.uint8] | npt.NDArray[np.int32]]
"""From a mask file to its values, HW; ValueError where it has none."""
Background = Callable[[Tensor, int | None], Tensor]
"""From a mask's values, HW, and the value of its object, which is the image's label where none is listed, to its map;
ValueError says what is wrong with the values."""


class MaskFormat(Protocol):
    """Reads the masks of a data set; nothing else knows what they look like."""

    background_value: ClassVar[float]
    """What maps hold on background."""

    def read(self, image_file: ImageFile, size: Sequence[int], reader: FileReader, /) -> Tensor | None:
        """Return the map of an image, HW; None where it has no mask.

        Args:
            image_file: The image.
            size: Its height and width.
            reader: Reads the mask's file.

        Raises:
            ImageError: The mask is missing or corrupt, has another size, or holds other values than it may.
        """

    def label(self, image_file: ImageFile, map_HW: Tensor | None, /) -> int:
        """Return the label of the whole image."""

    def batch(
        self, images_BCHW: Tensor, maps: Sequence[Tensor | None], labels_B: Tensor, ids: tuple[str, ...]
    ) -> Batch:
        """Return the batch of cropped images in [0, 1] with their cropped maps and the labels of the whole images."""


def zero_is_background(values_HW: Tensor, _: int | None) -> Tensor:
    """Return the map on which every other value is object."""
    return torch.from_numpy(np.equal(values_HW.numpy(), 0).view(np.uint8))  # numpy takes a tenth of torch's time.


@dataclass(frozen=True)
class ObjectMask:
    """A `MaskFormat` that shows one object an image, whose label is listed."""

    background_value: ClassVar[float] = BACKGROUND

    values: MaskValues = is_lit
    background: Background = zero_is_background
    frame: MaskFrame = "original"

    def read(self, image_file: ImageFile, size: Sequence[int], reader: FileReader, /) -> Tensor | None:
        """Return BACKGROUND, OBJECT and IGNORED, HW."""
        wanted = image_file.label if image_file.mask_value is None else image_file.mask_value
        map_HW = read_map(
            image_file,
            size_in_frame(size, self.frame),
            reader,
            self.values,
            lambda values_HW: self.background(values_HW, wanted),
        )
        return None if map_HW is None else out_of_frame(map_HW, size, self.frame, unknown=IGNORED)

    def label(self, image_file: ImageFile, _: Tensor | None, /) -> int:
        """Return the listed label."""
        return listed_label(image_file)

    def batch(
        self, images_BCHW: Tensor, maps: Sequence[Tensor | None], labels_B: Tensor, ids: tuple[str, ...]
    ) -> Batch:
        """Return the batch; a crop without an object counts as one without a mask."""
        background_BHW = np.zeros((len(maps), *images_BCHW.shape[2:]), dtype=np.bool_)
        has_mask_B = torch.zeros(len(maps), dtype=torch.bool)
        for index, map_HW in enumerate(maps):
            if map_HW is not None and (values_HW := map_HW.as_subclass(Tensor).numpy()).min(initial=IGNORED) == OBJECT:
                has_mask_B[index] = True
                np.equal(values_HW, BACKGROUND, out=background_BHW[index])
        return Batch(
            images_BCHW=images_BCHW,
            labels_B=labels_B,
            background_BHW=torch.from_numpy(background_BHW),
            has_mask_B=has_mask_B,
            ids=ids,
        )


@dataclass(frozen=True)
class ClassMask:
    """A `MaskFormat` of class maps, which say what the labels of an image are."""

    background_value: ClassVar[float] = 0

    num_classes: int

    def read(self, image_file: ImageFile, size: Sequence[int], reader: FileReader, /) -> Tensor | None:
        """Return the class map, HW."""
        check = partial(check_class_map, num_classes=self.num_classes)
        return read_map(image_file, size, reader, class_values, check)

    def label(self, _: ImageFile, map_HW: Tensor | None, /) -> int:
        """Return the class with the most pixels."""
        assert map_HW is not None, "a class map says what the image shows"
        return main_class(map_HW, self.num_classes)

    def batch(
        self, images_BCHW: Tensor, maps: Sequence[Tensor | None], labels_B: Tensor, ids: tuple[str, ...]
    ) -> Batch:
        """Return the batch with the targets that the crops show."""
        classes_BHW = stacked(maps, images_BCHW, unknown=IGNORED, dtype=torch.uint8)
        return batch_of_classes(images_BCHW, classes_BHW, labels_B, ids, num_classes=self.num_classes)


def check_class_map(values_HW: Tensor, *, num_classes: int) -> Tensor:
    """Return the values of a mask file, uint8, as they are.

    Raises:
        ValueError: It holds other values than a class map's, or shows no object.
    """
    counts = torch.bincount(values_HW.flatten(), minlength=IGNORED + 1)
    if counts[num_classes + 1 : IGNORED].any():
        values = counts.nonzero().flatten().tolist()
        others = ", ".join(str(value) for value in values if num_classes < value < IGNORED)
        raise ValueError(
            f"has the values {others}; a class mask has only 0 (background), 1 to {num_classes} (classes) and "
            f"{IGNORED} (neither)"
        )
    if not counts[1 : num_classes + 1].any():
        raise ValueError(f"shows no object: no pixel has a value from 1 to {num_classes}")
    return values_HW


def class_areas(classes_BHW: Tensor, num_classes: int) -> Tensor:
    """Return the number of pixels of each class, int64 B,K."""
    areas_BK = torch.zeros(len(classes_BHW), num_classes, dtype=torch.int64)
    for areas_K, classes_HW in zip(areas_BK, classes_BHW, strict=True):
        areas_K.copy_(torch.bincount(classes_HW.flatten(), minlength=IGNORED + 1)[1 : num_classes + 1])
    return areas_BK


def main_class(classes_HW: Tensor, num_classes: int) -> int:
    """Return the class with the most pixels, the first of equal ones."""
    return int(class_areas(classes_HW.unsqueeze(0), num_classes).argmax())


def batch_of_classes(
    images_BCHW: Tensor, classes_BHW: Tensor, labels_B: Tensor, ids: tuple[str, ...], *, num_classes: int
) -> Batch:
    """Return the batch of images in [0, 1] with the class maps of their crops.

    Args:
        labels_B: The main class of each whole image, which is the label where the crop shows no class.
    """
    areas_BK = class_areas(classes_BHW, num_classes)
    shows_BK = areas_BK > 0
    has_mask_B = shows_BK.any(1)
    return Batch(
        images_BCHW=images_BCHW,
        labels_B=torch.where(has_mask_B, areas_BK.argmax(1), labels_B),
        background_BHW=(classes_BHW == 0) & has_mask_B[:, None, None],
        has_mask_B=has_mask_B,
        ids=ids,
        targets_BK=shows_BK.float(),
        classes_BHW=classes_BHW,
    )


def listed_label(image_file: ImageFile) -> int:
    """Return the label of an image that a list or a folder gives."""
    assert image_file.label is not None, "a label is listed, or read from a class map"
    return image_file.label


def read_map(
    image_file: ImageFile,
    size: Sequence[int],
    reader: FileReader,
    values: MaskValues,
    to_map: Callable[[Tensor], Tensor],
) -> Tensor | None:
    """Return the map that `to_map` makes of a mask's values, HW; None where an image has no mask.

    Args:
        image_file: The image.
        size: Height and width that its mask should have.
        reader: Reads the mask's file.
        values: Reads the file.
        to_map: Raises ValueError for values that a mask may not have.

    Raises:
        ImageError: The mask is missing or corrupt, has another size, or holds other values than it may.
    """
    path = image_file.mask_path
    if path is None:
        return None
    values_HW = torch.from_numpy(reader.read(path, values))
    if values_HW.shape != tuple(size):
        raise MaskSizeError(
            f"{path} has shape {tuple(values_HW.shape)}, but its image {image_file.path} has height and width "
            f"{tuple(size)}{_turned_apart(image_file.path, path)}"
        )
    try:
        return to_map(values_HW)
    except ValueError as error:
        raise ImageError(f"{path} {error}{note_on_values(path)}") from error


def _turned_apart(image: Path, mask: Path) -> str:
    """Return what to do where EXIF turns only one of an image and its mask on its side."""
    sideways = [path for path in (image, mask) if orientation_of(path) in SIDEWAYS]
    if len(sideways) != 1:
        return ""
    other = "mask" if sideways == [image] else "image"
    return f"; the EXIF orientation of {sideways[0]} turns it and not its {other}: turn both, or remove the orientation"


def stacked(maps: Sequence[Tensor | None], images_BCHW: Tensor, *, unknown: float, dtype: torch.dtype) -> Tensor:
    """Return the maps as one tensor, `unknown` where there is none."""
    maps_BHW = torch.full((len(maps), *images_BCHW.shape[-2:]), unknown, dtype=dtype)
    for place_HW, map_HW in zip(maps_BHW, maps, strict=True):
        if map_HW is not None:
            place_HW.copy_(map_HW)
    return maps_BHW
