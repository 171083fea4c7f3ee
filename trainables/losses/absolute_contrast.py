"""The sum of absolute contrasts over a map, without keeping more than one map-sized tensor.

B batch, K classes, F features, P cells of the map.
"""

from typing import Any, cast

import torch
from torch import Tensor


def absolute_contrast(features_BFP: Tensor, weight_KF: Tensor, labels_B: Tensor) -> Tensor:
    """Return `sum_p |(W_c - W_k) . A_p|` of shape B,K for each sample's class c; exactly 0 at k = c.

    The derivative of |x| at 0 is taken as 0. Between forward and backward only the signs are kept, one byte each.
    """
    return cast(Tensor, _AbsoluteContrast.apply(features_BFP, weight_KF, labels_B))


class _AbsoluteContrast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features_BFP: Tensor, weight_KF: Tensor, labels_B: Tensor) -> Tensor:
        contrast_BKP = torch.bmm(weight_KF.expand(len(features_BFP), -1, -1), features_BFP)
        contrast_BKP -= contrast_BKP.gather(1, _own_row(labels_B, features_BFP))
        total_BK: Tensor = torch.linalg.vector_norm(contrast_BKP, ord=1, dim=2)
        ctx.save_for_backward(features_BFP, weight_KF, labels_B, contrast_BKP.sign_().to(torch.int8))
        return total_BK

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_BK: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        features_BFP, weight_KF, labels_B, sign_BKP = ctx.saved_tensors
        grad_features_BFP = grad_weight_KF = None
        grad_BKP = sign_BKP * grad_BK.unsqueeze(2)
        grad_BKP.scatter_(1, _own_row(labels_B, features_BFP), -grad_BKP.sum(1, keepdim=True))
        if ctx.needs_input_grad[0]:
            grad_features_BFP = torch.bmm(weight_KF.T.expand(len(features_BFP), -1, -1), grad_BKP)
        if ctx.needs_input_grad[1]:
            grad_weight_KF = torch.tensordot(grad_BKP, features_BFP, dims=([0, 2], [0, 2]))
        return grad_features_BFP, grad_weight_KF, None


def _own_row(labels_B: Tensor, features_BFP: Tensor) -> Tensor:
    return labels_B.view(-1, 1, 1).expand(-1, 1, features_BFP.shape[2])
