"""A contact sheet of a data set: a few images of each class, as validation sees them, with the outlines of their masks.

C channels, H W image height and width.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor

from trainables.data import Batch
from trainables.drawing.colours import to_image
from trainables.drawing.sheet import MAX_WIDTH, Row, Tile, draw_sheet
from trainables.drawing.tile import outline, resize_object, tile_image

NUM_CLASSES, NUM_IMAGES = 12, 3
"""Classes of a set, and images of each, that are drawn at most."""
_COLUMNS = 9
_SLOT = MAX_WIDTH // _COLUMNS - 12
_LINE, _RIM = (1.0, 0.0, 1.0), (1.0, 1.0, 1.0)
"""Colours of an outline and of what lies around it, so that it shows on any image."""
NOTE = "Images as validation sees them. The line is the edge of the object that the mask shows."


def choose(labels: Sequence[tuple[int, int]]) -> list[int]:
    """Return the indices to draw, from pairs of index and label: a few of each class, evenly spaced, class by class."""
    by_label: dict[int, list[int]] = defaultdict(list)
    for index, label in labels:
        by_label[label].append(index)
    classes = evenly(sorted(by_label), NUM_CLASSES)
    return [index for label in classes for index in evenly(by_label[label], NUM_IMAGES)]


def evenly(items: Sequence[int], num: int) -> list[int]:
    """Return at most `num` items, evenly spaced, the first among them."""
    return [items[position * len(items) // num] for position in range(num)] if len(items) > num else list(items)


def draw_contact_sheet(title: str, sets: Mapping[str, tuple[str, Batch]], class_names: Sequence[str]) -> Image.Image:
    """Draw the images of each set under its heading, which says what it holds."""
    rows: list[Row] = []
    for heading, batch in sets.values():
        tiles = [_tile(batch, index, class_names) for index in range(len(batch))]
        for start in range(0, max(1, len(tiles)), _COLUMNS):
            of_row = tiles[start : start + _COLUMNS]
            rows.append(Row("" if start else heading, "", of_row, "no image can be read"))
    return draw_sheet(title, NOTE, rows, slot=_SLOT)


def _tile(batch: Batch, index: int, class_names: Sequence[str]) -> Tile:
    label = int(batch.labels_B[index])
    has_mask = bool(batch.has_mask_B[index])
    image_CHW = tile_image(batch.images_BCHW[index], _SLOT)
    if has_mask:
        image_CHW = with_outline(image_CHW, batch.background_BHW[index])
    name = class_names[label] if 0 <= label < len(class_names) else "no class"
    return Tile(to_image(image_CHW), None, (name, batch.ids[index], *(() if has_mask else ("no mask",))))


def with_outline(image_CHW: Tensor, background_HW: Tensor) -> Tensor:
    """Return an image with the line around the object, inside it, and a rim around the line."""
    object_HW = resize_object(background_HW, image_CHW.shape[1:]) < 0.5
    line_HW = outline(object_HW)
    rim_HW = outline(~object_HW)
    colours = [torch.tensor(colour).view(3, 1, 1) for colour in (_LINE, _RIM)]
    return torch.where(line_HW, colours[0], torch.where(rim_HW, colours[1], image_CHW))
