"""Boxes in XML files of PASCAL VOC's form, which ImageNet has too, as masks.

B batch, H W image height and width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainables.data.batch import Batch
from trainables.data.file_reader import SIDEWAYS, TURNS, FileReader
from trainables.data.image_file import Boxes, ImageError, ImageFile
from trainables.data.masks.box_mask import BoxMask

XML = ".xml"
_BOX_MASK = BoxMask()
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class VocBoxMask:
    """A `MaskFormat` whose mask is an XML file; an image without a box in it has no mask."""

    background_value: ClassVar[float] = BoxMask.background_value

    def read(self, image_file: ImageFile, size: Sequence[int], reader: FileReader, /) -> Tensor | None:
        """Return BACKGROUND and OBJECT, HW; boxes are scaled from the size that the file gives, and cut at the edge.

        They are boxes of the image as it is stored, so they are turned with it as its EXIF orientation says.
        """
        if image_file.mask_path is None:
            return None
        number = _orientation(image_file, reader)
        stored = tuple(reversed(size)) if number in SIDEWAYS else size
        boxes = voc_boxes(image_file.mask_path, stored, reader)
        map_HW = _BOX_MASK.read(image_file._replace(boxes=boxes), stored, reader)
        if map_HW is None or number not in TURNS:
            return map_HW
        return torch.from_numpy(np.array(Image.fromarray(map_HW.numpy()).transpose(TURNS[number])))

    def label(self, image_file: ImageFile, map_HW: Tensor | None, /) -> int:
        """Return the listed label."""
        return _BOX_MASK.label(image_file, map_HW)

    def batch(
        self, images_BCHW: Tensor, maps: Sequence[Tensor | None], labels_B: Tensor, ids: tuple[str, ...]
    ) -> Batch:
        """Return the batch; a crop without an object counts as one without a mask."""
        return _BOX_MASK.batch(images_BCHW, maps, labels_B, ids)


def _orientation(image_file: ImageFile, reader: FileReader) -> int:
    try:
        return reader.orientation(image_file.path)
    except OSError as error:
        raise ImageError(f"{image_file.path} cannot be read ({error.strerror or error})") from error


def voc_boxes(path: Path, size: Sequence[int], reader: FileReader) -> Boxes | None:
    """Return the boxes of an XML file in pixels of an image of this height and width; None without a box.

    Raises:
        ImageError: It cannot be read, declares entities, or has a box that is none.
    """
    height, width = size
    try:
        root = parsed(reader.content(path))
        across, down = (_scale(root, name, length) for name, length in (("width", width), ("height", height)))
        boxes = [[float(_text(box, name)) for name in _CORNERS] for box in root.iter("bndbox")]
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise ImageError(f"{path} cannot be read as boxes ({getattr(error, 'strerror', None) or error})") from error
    corners = tuple(
        (max(0.0, left * across), max(0.0, top * down), min(width, right * across), min(height, bottom * down))
        for left, top, right, bottom in boxes
    )
    return Boxes(corners, str(path)) if corners else None


def parsed(content: bytes) -> ElementTree.Element:
    """Return the root of an XML file; ValueError where it declares a type, since entities can fill the memory."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("it has a DOCTYPE, which could declare entities without end; remove it")
    return ElementTree.fromstring(content)


def _text(element: ElementTree.Element, name: str) -> str:
    text = element.findtext(name)
    if text is None:
        raise ValueError(f"<{element.tag}> lacks <{name}>")
    return text


def _scale(root: ElementTree.Element, name: str, length: int) -> float:
    """Return how many pixels of the image one pixel of the boxes is; 1 where the file gives no size."""
    annotated = float(root.findtext(f"size/{name}") or 0)
    return length / annotated if annotated > 0 else 1.0
