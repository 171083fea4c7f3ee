"""Features whose mean is an embedding of length 1.

B batch, F features, H W image or map.
"""

import torch
from torch import Tensor, nn

_SHORTEST = 1e-12
"""Length below which a mean is not stretched to 1, as in torch.nn.functional.normalize."""


class UnitFeatures(nn.Module):
    """Returns the features `A / |mean_ij A|` of a trunk, so that what is pooled is the L2-normalised embedding.

    A linear head on that mean stays exact: `s_k = sum_ij (W_k . A_ij) / (N |mean A|) + b_k`.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """Return features_BFHW in float32."""
        features_BFHW: Tensor = self.trunk(images_B3HW).to(torch.float32)
        length_B111 = features_BFHW.mean((2, 3), keepdim=True).norm(dim=1, keepdim=True)
        unit_BFHW: Tensor = features_BFHW / length_B111.clamp(min=_SHORTEST)
        return unit_BFHW
