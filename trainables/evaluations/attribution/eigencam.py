"""Eigen-CAM, which looks at the features alone and knows no class.

B batch, F features, H W map, P = H*W cells.
"""

import torch
from torch import Tensor


def eigencam(features_BFHW: Tensor) -> Tensor:
    """Return the features' projection on their first principal component, `A v_1` with `A = U S V^T` of shape P,F.

    The features are not centred. An SVD leaves the sign open: here the map's inner product with the mean activation
    over F is not negative, so that features that are nowhere negative have a map that is nowhere negative.
    Source: Muhammad & Yeasin 2020, eq. 4.

    Returns:
        map_BHW in the features' dtype.
    """
    cells_BPF = features_BFHW.flatten(2).mT.double()
    # `A v_1 = s_1 u_1`, of which A A^T has the square and the vector.
    values_BP, vectors_BPP = torch.linalg.eigh(cells_BPF @ cells_BPF.mT)
    map_BP = values_BP[:, -1:].clamp(min=0).sqrt() * vectors_BPP[:, :, -1]
    is_opposed_B1 = (map_BP * cells_BPF.mean(2)).sum(1, keepdim=True) < 0
    return torch.where(is_opposed_B1, -map_BP, map_BP).view_as(features_BFHW[:, 0]).to(features_BFHW.dtype)
