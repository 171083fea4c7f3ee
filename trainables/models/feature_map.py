"""A network up to what its linear head gets, cell by cell.

B batch, C cells of all images, F features, H W map.
"""

from typing import Any

from torch import Tensor, nn

from trainables.models.map_layout import MapLayout


class FeatureMap(nn.Module):
    """Returns a network's `forward_features` as a map B,F,H,W, to whose cells the layers of its head may be applied.

    Args:
        with_head: Apply `forward_head(..., pre_logits=True)` to every cell, as if it were a map of its own.
    """

    def __init__(self, network: Any, layout: MapLayout, *, with_head: bool = False) -> None:
        super().__init__()
        self.network = network
        self._layout = layout
        self._with_head = with_head

    def forward(self, images_BCHW: Tensor) -> Tensor:
        features_BFHW = self._layout.to_map(self.network.forward_features(images_BCHW))
        if not self._with_head:
            return features_BFHW
        height, width = features_BFHW.shape[2:]
        cells = self._layout.one_cell_each(features_BFHW.permute(0, 2, 3, 1).flatten(0, 2))
        cells_CF: Tensor = self.network.forward_head(cells, pre_logits=True)
        return cells_CF.reshape(-1, height, width, cells_CF.shape[1]).permute(0, 3, 1, 2)
