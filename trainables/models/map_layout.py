"""How a network lays out the features that it is about to pool.

B batch, F features, H W map, N cells and tokens.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import Tensor


class UnfitNetworkError(ValueError):
    """A network whose logits are no linear function of mean-pooled features; the message is the reason."""


class MapLayout(NamedTuple):
    """The order of a map's dimensions, or tokens of a square grid, the first of which may belong to no cell."""

    order: Literal["BFHW", "BHWF", "BNF"]
    num_prefix: int = 0

    def to_map(self, features: Tensor) -> Tensor:
        """Return features of this layout as B,F,H,W."""
        if self.order == "BFHW":
            return features
        if self.order == "BHWF":
            return features.permute(0, 3, 1, 2)
        cells_BNF = features[:, self.num_prefix :]
        side = math.isqrt(cells_BNF.shape[1])
        return cells_BNF.mT.reshape(*cells_BNF.shape[::2], side, side)

    def one_cell_each(self, vectors_BF: Tensor) -> Tensor:
        """Return features of this layout whose map has one cell, at which other tokens are what the cell is."""
        if self.order == "BFHW":
            return vectors_BF[:, :, None, None]
        if self.order == "BHWF":
            return vectors_BF[:, None, None]
        return vectors_BF.unsqueeze(1).expand(-1, self.num_prefix + 1, -1)


def find_layout(shape: Sequence[int], *, num_features: int, num_prefix: int) -> MapLayout:
    """Return the layout of features of that shape.

    Raises:
        UnfitNetworkError: They are no map, nor tokens of a square grid.
    """
    if len(shape) == 4 and shape[1] == num_features:
        return MapLayout("BFHW")
    if len(shape) == 4 and shape[3] == num_features:
        return MapLayout("BHWF")
    if len(shape) == 3 and shape[2] == num_features:
        num_cells = shape[1] - num_prefix
        if num_cells > 0 and math.isqrt(num_cells) ** 2 == num_cells:
            return MapLayout("BNF", num_prefix)
    raise UnfitNetworkError(
        f"forward_features returns shape {'x'.join(map(str, shape))}, which is no map of {num_features} features "
        "and no square grid of tokens"
    )
