"""Maps laid over each other by the objects' bounding boxes, so that an object's place and size no longer matter.

A frame is the box and half its height and width more on each side, cut into a grid of as many rows as columns. What
of a frame is not in the image is left out.
N samples, H W map, G rows or columns of the frame's grid.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.data.box import Box

SURROUND = 0.5
"""How much of the box's height and width the frame adds on each side."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Sums over images, each on the frame's grid."""

    total_GG: Tensor
    """Sums of the maps' values, each cell's mean over its area in the image, times that area."""
    reach_GG: Tensor
    """Sums of the share of the cell that lies in the image, each in [0, 1]."""

    def mean(self, least: float) -> Tensor:
        """Return the mean over the images that a cell lies in, nan where these add up to less than `least`."""
        mean_GG = self.total_GG / self.reach_GG
        return torch.where((self.reach_GG > 0) & (self.reach_GG >= least), mean_GG, torch.nan)

    def mean_of(self, cells_GG: Tensor) -> float:
        """Return the mean over some cells, given as bool, and over all images; nan where none reaches them."""
        return (self.total_GG[cells_GG].sum() / self.reach_GG[cells_GG].sum()).item()


def align(maps: Iterable[tuple[Tensor, Box]], size: tuple[int, int], grid: int) -> Frame:
    """Lay maps HW over each other by the boxes, in float64.

    A map is constant in each of its cells, and a cell of the frame gets the mean over the area that it covers.

    Args:
        maps: Each with the bounding box of the object, in pixels of the image.
        size: Height and width of the images.
        grid: Rows and columns of the frame's grid, a multiple of 4, so that the box's edges lie between cells.
    """
    assert grid % 4 == 0, grid
    total_GG, reach_GG = torch.zeros(2, grid, grid, dtype=torch.float64)
    for map_HW, box in maps:
        rows_GH = _cover(box.top, box.bottom, size[0], grid, map_HW.shape[0])
        columns_GW = _cover(box.left, box.right, size[1], grid, map_HW.shape[1])
        total_GG += rows_GH @ map_HW.double() @ columns_GW.T
        reach_GG += torch.outer(rows_GH.sum(1), columns_GW.sum(1))
    return Frame(total_GG, reach_GG)


def in_box(grid: int) -> Tensor:
    """Return which cells of the frame are the box, bool."""
    inside_G = torch.zeros(grid, dtype=torch.bool)
    inside_G[grid // 4 : 3 * grid // 4] = True
    return torch.outer(inside_G, inside_G)


def _cover(start: int, end: int, pixels: int, grid: int, cells: int) -> Tensor:
    """Return the share of each of the frame's rows, or columns, in each of the map's; a row sums to at most 1."""
    extent = (end - start) * (1 + 2 * SURROUND)
    edges_G = start - SURROUND * (end - start) + extent * torch.arange(grid + 1, dtype=torch.float64) / grid
    edges_H = pixels * torch.arange(cells + 1, dtype=torch.float64) / cells
    ends_GH = torch.minimum(edges_G[1:, None], edges_H[None, 1:])
    starts_GH = torch.maximum(edges_G[:-1, None], edges_H[None, :-1])
    return (ends_GH - starts_GH).clamp(min=0) * grid / extent
