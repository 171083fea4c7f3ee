"""Boxes around objects and around their connected components, and the latter tiled over.

An object's map holds its share of each pixel, in [0, 1].
B batch, C channels, H W image.
"""

import torch
from scipy import ndimage
from torch import Tensor

from trainables.data.box import Box


def bounding_box(object_HW: Tensor) -> Box | None:
    """Return the smallest box around every pixel with any object in it; None where there is no object."""
    rows_P, columns_P = object_HW.nonzero(as_tuple=True)
    if not len(rows_P):
        return None
    return Box(int(rows_P.min()), int(rows_P.max()) + 1, int(columns_P.min()), int(columns_P.max()) + 1)


def tile_over(image_CHW: Tensor, box: Box, tile: Box) -> Tensor:
    """Return the image with `tile` continued periodically over `box`.

    Row y of `box` shows row `tile.top + (y - tile.top) mod height(tile)`, and columns likewise.
    """
    rows_H = tile.top + (torch.arange(box.top, box.bottom) - tile.top) % (tile.bottom - tile.top)
    columns_W = tile.left + (torch.arange(box.left, box.right) - tile.left) % (tile.right - tile.left)
    tiled_CHW = image_CHW.clone()
    tiled_CHW[:, *box.slices] = image_CHW[:, rows_H[:, None], columns_W]
    return tiled_CHW


def component_tiles(object_HW: Tensor) -> list[tuple[Box, Box | None]]:
    """Return the bounding box of each connected component of the object with the tile next to it.

    Pixels are connected by their sides, as in Moayeri et al. 2022, "Hard ImageNet".
    """
    components_HW, _ = ndimage.label(object_HW.numpy() > 0)
    slices = ndimage.find_objects(components_HW)
    boxes = [Box(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in slices]
    return [(box, adjacent_tile(box, object_HW)) for box in boxes]


def can_tile_components(object_HW: Tensor) -> bool:
    """Return whether there is an object, and next to each of its components a box without any."""
    tiles = component_tiles(object_HW)
    return bool(tiles) and all(tile is not None for _, tile in tiles)


def tiled_components(image_CHW: Tensor, object_HW: Tensor) -> Tensor:
    """Return the image with the box of each connected component tiled over by the largest box next to it.

    This is the tiling of Moayeri et al. 2022, "Hard ImageNet". Tiles are taken from the image as it was.

    Raises:
        ValueError: If a component has no box next to it; `can_tile_components` checks this.
    """
    tiled_CHW = image_CHW.clone()
    for box, tile in component_tiles(object_HW):
        if tile is None:
            raise ValueError(f"no background to tile with next to {box}")
        tiled_CHW[:, *box.slices] = tile_over(image_CHW, box, tile)[:, *box.slices]
    return tiled_CHW


def adjacent_tile(box: Box, object_HW: Tensor) -> Box | None:
    """Return the largest of the four boxes of the size of `box` above, below, left and right; None without any.

    Each ends where the image does, and before the first object on its way from `box`. Of equal ones it is the first.
    """
    height, width = box.bottom - box.top, box.right - box.left
    rows_H, columns_W = object_HW[:, box.left : box.right].any(1), object_HW[box.top : box.bottom].any(0)
    tiles = (
        box._replace(top=box.top - _free(rows_H[: box.top].flip(0), height), bottom=box.top),
        box._replace(top=box.bottom, bottom=box.bottom + _free(rows_H[box.bottom :], height)),
        box._replace(left=box.left - _free(columns_W[: box.left].flip(0), width), right=box.left),
        box._replace(left=box.right, right=box.right + _free(columns_W[box.right :], width)),
    )
    largest = max(tiles, key=lambda tile: tile.area)
    return largest if largest.area else None


def _free(object_P: Tensor, limit: int) -> int:
    """Return how many of the first `limit` places, or of all there are, come before the first object."""
    found = object_P[:limit].nonzero()
    return int(found[0]) if len(found) else min(limit, len(object_P))


def box_masks(object_BHW: Tensor) -> Tensor:
    """Return 1 in each object's bounding box and 0 elsewhere, BHW."""
    masks_BHW = torch.zeros_like(object_BHW)
    for mask_HW, object_HW in zip(masks_BHW, object_BHW, strict=True):
        box = bounding_box(object_HW)
        if box:
            mask_HW[box.slices] = 1
    return masks_BHW
