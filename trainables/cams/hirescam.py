"""HiResCAM in closed form.

B batch, K classes, F features, H W map, P = H*W cells.
"""

import torch
from torch import Tensor


def hirescam(features_BFHW: Tensor, weight_KF: Tensor) -> Tensor:
    """Return `H_k = sum_f (ds_k/dA_f) * A_f`, which is `(W_k . A) / N` for a linear head on mean-pooled features.

    The maps sum to the logits without bias: `s_k = sum_ij H_k,ij + b_k`. They are computed in the wider dtype of the
    two arguments, under autocast too. Source: Draelos & Carin 2020, eq. 3.

    Args:
        features_BFHW: The tensor `A` that is pooled.
        weight_KF: The head's weights `W`.

    Returns:
        cams_BKHW.
    """
    dtype = torch.promote_types(features_BFHW.dtype, weight_KF.dtype)
    height, width = features_BFHW.shape[-2:]
    with torch.autocast(features_BFHW.device.type, enabled=False):
        scaled_KF = weight_KF.to(dtype) / (height * width)
        cams_BKP = scaled_KF @ features_BFHW.to(dtype).flatten(2)
    return cams_BKP.view(*cams_BKP.shape[:2], height, width)
