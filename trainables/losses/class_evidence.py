"""What the object says for each class, and how much the background speaks of any: the sums over the maps that the
contrastive losses are made of.

Networks have few classes and many features, or many of both, and each case has its own cost:

- Few classes: maps are small, and each pass over something as large as the features costs as much as a product of
  matrices. So all cells are multiplied as they lie, and masks are applied to the maps.
- Many classes: the products cost most. The cells that lie on the object alone enter as their sum, as one cell of each
  sample. This reads the mask, for which an accelerator would have to be waited for, so it is done on the CPU only.

B batch, K classes, F features, P cells of the map, R cells of a batch after each object's were merged.
"""

from typing import Any, cast

import torch
from torch import Tensor

MANY_CLASSES = 256
"""From here on merging an object's cells takes less time than it saves."""
CELLS_AT_ONCE = 784
"""Cells of the map in one product of the features' gradient; that of all would take as much memory as the features."""


def class_evidence(
    features_BFP: Tensor, weight_KF: Tensor, labels_B: Tensor, background_BP: Tensor
) -> tuple[Tensor, Tensor]:
    """Return `sum_p h*H_k` and `sum_p (1-h)*|CC_(c,k)|`, both of shape B,K, for each sample's class c.

    The HiResCAMs are `H_k = (W_k . A) / P`, the ContrastiveCAMs `CC_(c,k) = H_c - H_k`, and `1-h` is the background.
    The second sum is exactly 0 at k = c, and the derivative of |x| at 0 is taken as 0. Between forward and backward the
    signs are kept, one byte each, and no map. There is no second derivative.
    """
    merge = features_BFP.device.type == "cpu" and len(weight_KF) >= MANY_CLASSES
    function = _OnMergedCells if merge else _OnAllCells
    return cast(tuple[Tensor, Tensor], function.apply(features_BFP, weight_KF, labels_B, background_BP))


class _OnAllCells(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features_BFP: Tensor, weight_KF: Tensor, labels_B: Tensor, background_BP: Tensor
    ) -> tuple[Tensor, Tensor]:
        object_BP, background_BP = _per_cell(1 - background_BP), _per_cell(background_BP)
        maps_BKP = torch.bmm(weight_KF.expand(len(features_BFP), -1, -1), features_BFP)
        object_BK = torch.bmm(maps_BKP, object_BP.unsqueeze(2)).squeeze(2)
        own_B1P = labels_B.view(-1, 1, 1).expand(-1, 1, maps_BKP.shape[2])
        maps_BKP -= maps_BKP.gather(1, own_B1P)
        sign_BKP = _sign(maps_BKP)
        contrast_BK = torch.bmm(maps_BKP.abs_(), background_BP.unsqueeze(2)).squeeze(2)
        ctx.save_for_backward(features_BFP, weight_KF, own_B1P, object_BP, background_BP, sign_BKP)
        return object_BK, contrast_BK

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, grad_object_BK: Tensor, grad_contrast_BK: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        features_BFP, weight_KF, own_B1P, object_BP, background_BP, sign_BKP = ctx.saved_tensors
        grad_BKP = torch.bmm(grad_contrast_BK.unsqueeze(2), background_BP.unsqueeze(1)).mul_(sign_BKP)
        grad_BKP.scatter_(1, own_B1P, -grad_BKP.sum(1, keepdim=True))
        grad_BKP.baddbmm_(grad_object_BK.unsqueeze(2), object_BP.unsqueeze(1))
        grad_features_BFP = grad_weight_KF = None
        if ctx.needs_input_grad[0]:
            grad_features_BFP = _features_gradient(weight_KF, grad_BKP, like_BFP=features_BFP)
        if ctx.needs_input_grad[1]:
            grad_weight_KF = torch.addbmm(weight_KF, grad_BKP, features_BFP.mT, beta=0)
        return grad_features_BFP, grad_weight_KF, None, None


def _features_gradient(weight_KF: Tensor, grad_BKP: Tensor, *, like_BFP: Tensor) -> Tensor:
    """Return `W^T . grad`, in memory as the features are: channels last costs a copy otherwise."""
    if like_BFP.is_contiguous():
        weight_FK = weight_KF.T.contiguous()  # Transposed once here, and not by each sample's product.
        return torch.bmm(weight_FK.expand(len(grad_BKP), -1, -1), grad_BKP)
    return torch.bmm(grad_BKP.mT, weight_KF.expand(len(grad_BKP), -1, -1)).mT


class _OnMergedCells(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features_BFP: Tensor, weight_KF: Tensor, labels_B: Tensor, background_BP: Tensor
    ) -> tuple[Tensor, Tensor]:
        cells_FR, place_BP = _merge(features_BFP, background_BP)
        shares_BR = background_BP.new_zeros(len(place_BP), cells_FR.shape[1])
        object_BR = shares_BR.scatter(1, place_BP, _per_cell(1 - background_BP))
        background_BR = shares_BR.scatter(1, place_BP, _per_cell(background_BP))
        own_R = labels_B.new_zeros(cells_FR.shape[1])
        own_1R = own_R.scatter_(0, place_BP.flatten(), labels_B.repeat_interleave(place_BP.shape[1])).unsqueeze(0)
        # Classes first: the product whose result has 919 columns takes half as long again.
        maps_KR = weight_KF @ cells_FR
        object_KB = maps_KR @ object_BR.T
        maps_KR -= maps_KR.gather(0, own_1R)
        sign_KR = _sign(maps_KR)
        contrast_KB = maps_KR.abs_() @ background_BR.T
        ctx.save_for_backward(cells_FR, weight_KF, own_1R, place_BP, object_BR, background_BR, sign_KR)
        return object_KB.T, contrast_KB.T

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, grad_object_BK: Tensor, grad_contrast_BK: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        cells_FR, weight_KF, own_1R, place_BP, object_BR, background_BR, sign_KR = ctx.saved_tensors
        grad_KR = (grad_contrast_BK.T @ background_BR).mul_(sign_KR)
        grad_KR.scatter_(0, own_1R, -grad_KR.sum(0, keepdim=True))
        grad_KR.addmm_(grad_object_BK.T, object_BR)
        grad_features_BFP = grad_weight_KF = None
        if ctx.needs_input_grad[0]:
            grad_features_BFP = _merged_features_gradient(weight_KF, grad_KR, place_BP)
        if ctx.needs_input_grad[1]:
            grad_weight_KF = grad_KR @ cells_FR.T
        return grad_features_BFP, grad_weight_KF, None, None


def _merge(features_BFP: Tensor, background_BP: Tensor) -> tuple[Tensor, Tensor]:
    """Return cells_FR and to which of them each cell went, of shape B,P.

    For each sample they are its cells with any background, as they are, and then one cell: the sum of its others.
    """
    is_kept_BP = background_BP > 0
    number_BP = is_kept_BP.flatten().cumsum(0).view_as(is_kept_BP) + torch.arange(len(features_BFP)).unsqueeze(1)
    merged_B1 = number_BP[:, -1:]
    cells_FR = features_BFP.new_empty(features_BFP.shape[1], int(merged_B1[-1]) + 1)
    parts = cells_FR.tensor_split(merged_B1[:-1, 0] + 1, dim=1)
    for cells_FC, features_FP, is_kept_P in zip(parts, features_BFP, is_kept_BP, strict=True):
        cells_FC[:, :-1] = features_FP.index_select(1, is_kept_P.nonzero().squeeze(1))
        cells_FC[:, -1] = features_FP @ (~is_kept_P).to(features_FP.dtype)
    return cells_FR, torch.where(is_kept_BP, number_BP - 1, merged_B1)


def _merged_features_gradient(weight_KF: Tensor, grad_KR: Tensor, place_BP: Tensor) -> Tensor:
    """Return `W^T . grad` in the features' shape: each cell has the gradient of the one that it went to."""
    gradient_BFP = grad_KR.new_empty(len(place_BP), weight_KF.shape[1], place_BP.shape[1])
    num_samples = max(1, CELLS_AT_ONCE // place_BP.shape[1])
    starts = place_BP.amin(1)[::num_samples]
    for gradient_bFP, place_bP, grad_KC, start in zip(
        torch.split(gradient_BFP, num_samples),
        torch.split(place_BP, num_samples),
        grad_KR.tensor_split(starts[1:], dim=1),
        starts,
        strict=True,
    ):
        cells_FC = weight_KF.T @ grad_KC
        for gradient_FP, place_P in zip(gradient_bFP, place_bP - start, strict=True):
            torch.gather(cells_FC, 1, place_P.expand(len(cells_FC), -1), out=gradient_FP)
    return gradient_BFP


def _per_cell(share_BP: Tensor) -> Tensor:
    return share_BP / share_BP.shape[1]


def _sign(values: Tensor) -> Tensor:
    """Return -1, 0 or 1 as int8, without a copy of the size of `values`."""
    return (values > 0).view(torch.int8).sub_((values < 0).view(torch.int8))
