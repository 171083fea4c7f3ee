"""Maps that compare classes, so that terms common to all classes cancel.

B batch, K classes, H W map.
"""

import torch
from torch import Tensor


def contrastive_cams(cams_BKHW: Tensor, labels_B: Tensor) -> Tensor:
    """Return the ContrastiveCAMs `CC_(c,k) = H_c - H_k` of each sample's class c against every class k.

    `sum_ij CC_(c,k) = s_c - s_k` for a head without bias. The slice of the own class is exactly 0.
    Source: "Crossing Cross-Entropy" (Setpal 2024), eq. 3.

    Args:
        cams_BKHW: HiResCAMs.
        labels_B: Class c of each sample, int64.
    """
    own_B1HW = torch.take_along_dim(cams_BKHW, labels_B.view(-1, 1, 1, 1), dim=1)
    return own_B1HW - cams_BKHW


def class_reconstructed_cams(cams_BKHW: Tensor) -> Tensor:
    """Return `R_k = H_k - mean_k H_k`; over the classes they sum to 0.

    Source: OpenReview BDNctVKwuD, definition 3.4.
    """
    return cams_BKHW - cams_BKHW.mean(1, keepdim=True)
