"""Binary contrastive loss: a binary cross-entropy for each class, in which the background speaks against what is there.

B batch, K classes, F features, H W map, P = H*W cells.
"""

import torch
from torch import Tensor
from torch.nn import functional

from trainables.cams import hirescam
from trainables.losses.checks import check_background, check_head, check_not_negative, check_range, check_shape
from trainables.losses.class_evidence import class_evidence
from trainables.losses.precision import loss_dtype


def binary_contrastive(
    features_BFHW: Tensor,
    weight_KF: Tensor,
    targets_BK: Tensor,
    background: Tensor,
    *,
    background_weight: float = 1.0,
    bias_K: Tensor | None = None,
) -> Tensor:
    """Return the binary cross-entropies, summed over the classes, of shape B:

    `sum_k -y_k * log sig(a_k) - (1 - y_k) * log(1 - sig(s_k))` with the logits `s_k = sum_ij H_k + b_k` and the ablated
    logits `a_k = sum_ij h*H_k - background_weight * sum_ij |(1-h)*H_k| + b_k`, the HiResCAMs `H_k = (W_k . A) / N` and
    `h = 1 - background`.

    Without background it is binary cross-entropy on the logits; with a background weight of at least 1 it is never
    less. It is a sum, so that a class that is there weighs the same among few classes and among many. It is computed
    in float32, or in float64 where features or weight are, under autocast too.
    Source: OpenReview BDNctVKwuD, binary core-focused cross-entropy, which has neither bias nor background weight.

    Args:
        features_BFHW: The tensor `A` that is pooled.
        weight_KF: The head's weights `W`.
        targets_BK: Whether each class is there, or how likely, in [0, 1]: one-hot, several-hot or soft.
        background: Share of background in each cell of the map, in [0, 1], of shape B,H,W; or of shape B,K,H,W, where
            each class has an object of its own.
        background_weight: The penalty's weight, at least 0.
        bias_K: The head's bias `b`.

    Raises:
        ValueError: If shapes disagree or a value is out of range. Values of tensors on an accelerator are not
            checked, because that would wait for it.
    """
    check_head(features_BFHW, weight_KF, bias_K)
    _check(features_BFHW, weight_KF, targets_BK, background)
    check_not_negative("background_weight", background_weight)
    with torch.autocast(features_BFHW.device.type, enabled=False):
        logits_BK, ablated_BK = _logits(features_BFHW, weight_KF, background, background_weight, bias_K)
        there_BK, not_there_BK = functional.logsigmoid(ablated_BK), functional.logsigmoid(-logits_BK)
        return -torch.lerp(not_there_BK, there_BK, targets_BK.to(there_BK.dtype)).sum(1)


def _check(features_BFHW: Tensor, weight_KF: Tensor, targets_BK: Tensor, background: Tensor) -> None:
    check_shape("targets", targets_BK, (len(features_BFHW), len(weight_KF)))
    check_range("targets", targets_BK, 0, 1)
    of_classes = (len(weight_KF),) if background.ndim == 4 else ()
    check_background(background, (len(features_BFHW), *of_classes, *features_BFHW.shape[2:]))


def _logits(
    features_BFHW: Tensor, weight_KF: Tensor, background: Tensor, background_weight: float, bias_K: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the logits `s_k` and the ablated logits `a_k`, both of shape B,K."""
    dtype = loss_dtype(features_BFHW, weight_KF)
    features_BFHW, weight_KF, background = (each.to(dtype) for each in (features_BFHW, weight_KF, background))
    evidence = _evidence_for_each_class if background.ndim == 4 else _evidence
    object_BK, penalty_BK = evidence(features_BFHW, weight_KF, background)
    logits_BK = functional.linear(features_BFHW.mean((2, 3)), weight_KF)
    ablated_BK = torch.sub(object_BK, penalty_BK, alpha=background_weight)
    if bias_K is None:
        return logits_BK, ablated_BK
    return logits_BK + bias_K.to(dtype), ablated_BK + bias_K.to(dtype)


def _evidence(features_BFHW: Tensor, weight_KF: Tensor, background_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return `sum_ij h*H_k` and `sum_ij |(1-h)*H_k|`, both of shape B,K."""
    # A class of zeros besides the K: a contrast to it is a HiResCAM.
    with_none_KF = functional.pad(weight_KF, (0, 0, 0, 1))
    none_B = torch.full((len(features_BFHW),), len(weight_KF), device=features_BFHW.device)
    evidence = class_evidence(features_BFHW.flatten(2), with_none_KF, none_B, background_BHW.flatten(1))
    object_BK, penalty_BK = (each[:, :-1] for each in evidence)
    return object_BK, penalty_BK


def _evidence_for_each_class(
    features_BFHW: Tensor, weight_KF: Tensor, background_BKHW: Tensor
) -> tuple[Tensor, Tensor]:
    cams_BKHW = hirescam(features_BFHW, weight_KF)
    return ((1 - background_BKHW) * cams_BKHW).sum((2, 3)), (background_BKHW * cams_BKHW.abs()).sum((2, 3))
