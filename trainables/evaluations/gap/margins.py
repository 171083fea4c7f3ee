"""The margin of the label over its rival, as a sum of what object, background and bias add.

N images, K classes, F features.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from trainables.evaluations.channels.contributions import contributions
from trainables.evaluations.gap.observed import Observed


class Margins(NamedTuple):
    """Parts of `s_c - s_r`, each float64 of shape N."""

    object_N: Tensor
    """`sum h * CC_(c,r)`."""
    background_N: Tensor
    """`sum (1-h) * CC_(c,r)`."""
    bias_N: Tensor
    """`b_c - b_r`; 0 without a bias."""

    @property
    def total_N(self) -> Tensor:  # noqa: N802
        """Their sum, the margin."""
        return self.object_N + self.background_N + self.bias_N


def margins(observed: Observed, rivals_N: Tensor, weight_KF: Tensor, bias_K: Tensor | None) -> Margins:
    """Return the parts of each image's margin over its rival r.

    The ContrastiveCAM is linear in the features, `CC_(c,r) = (W_c - W_r) . A / N`. So its sum over the background is
    `(W_c - W_r) . mean_ij (1-h) A`, h being the mask on the grid of the map.
    """
    labels_N, weight_KF = observed.batch.labels_B, weight_KF.double()
    background_N = contributions(observed.background_NF, weight_KF, labels_N, rivals_N).sum(1)
    object_N = contributions(observed.pooled_NF - observed.background_NF, weight_KF, labels_N, rivals_N).sum(1)
    bias_N = torch.zeros_like(object_N) if bias_K is None else (bias_K[labels_N] - bias_K[rivals_N]).double()
    return Margins(object_N, background_N, bias_N)
