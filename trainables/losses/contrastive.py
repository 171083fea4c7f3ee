"""Contrastive cross-entropy: cross-entropy in which the background speaks against every class.

B batch, K classes, F features, H W map.
"""

import torch
from torch import Tensor
from torch.nn import functional

from trainables.cams import hirescam
from trainables.losses.checks import check_background, check_head, check_labels, check_not_negative
from trainables.losses.class_evidence import class_evidence
from trainables.losses.precision import loss_dtype


def contrastive_cross_entropy(
    features_BFHW: Tensor,
    weight_KF: Tensor,
    labels_B: Tensor,
    background_BHW: Tensor,
    *,
    background_weight: float = 1.0,
    label_smoothing: float = 0.0,
    bias_K: Tensor | None = None,
) -> Tensor:
    """Return the cross-entropy, of shape B, over the ablated logits

    `a_k = -(sum_ij h*CC_(c,k) + b_c - b_k) + background_weight * sum_ij |(1-h)*CC_(c,k)|`, where `a_c = 0`,

    with the ContrastiveCAMs `CC_(c,k) = H_c - H_k`, the HiResCAMs `H_k = (W_k . A) / N` and `h = 1 - background`.
    Without background it is plain cross-entropy; with a background weight of at least 1 it is never less.
    With smoothing e it is `(1 - e) * J_c + e/K * sum_k J_k`, where J_k is the loss with class k as label.
    It is computed in float32, or in float64 where features or weight are, under autocast too.
    Source: "Crossing Cross-Entropy" (Setpal 2024), eq. 6; OpenReview BDNctVKwuD calls it core-focused cross-entropy.

    Args:
        features_BFHW: The tensor `A` that is pooled.
        weight_KF: The head's weights `W`.
        labels_B: Class c of each sample, int64.
        background_BHW: Share of background in each cell of the map, in [0, 1]; 0 takes no penalty.
        background_weight: The penalty's weight, at least 0.
        label_smoothing: e, from 0 to below 1. Above 0, time and memory grow with the square of K.
        bias_K: The head's bias `b`.

    Raises:
        ValueError: If shapes disagree or a value is out of range. Values of tensors on an accelerator are not
            checked, because that would wait for it.
    """
    check_head(features_BFHW, weight_KF, bias_K)
    check_labels(labels_B, num_samples=len(features_BFHW), num_classes=len(weight_KF))
    check_background(background_BHW, (len(features_BFHW), *features_BFHW.shape[2:]))
    check_not_negative("background_weight", background_weight)
    inputs = (features_BFHW, weight_KF, labels_B, background_BHW)
    with torch.autocast(features_BFHW.device.type, enabled=False):
        return _smoothed(*inputs, background_weight, label_smoothing, bias_K)


def _smoothed(
    features_BFHW: Tensor,
    weight_KF: Tensor,
    labels_B: Tensor,
    background_BHW: Tensor,
    background_weight: float,
    label_smoothing: float,
    bias_K: Tensor | None,
) -> Tensor:
    """Return the loss of each sample; a target that is smooth over `a_k` would reward the rivals' penalties."""
    ablated_BK = _ablated_logits(features_BFHW, weight_KF, labels_B, background_BHW, background_weight, bias_K)
    loss_B = functional.cross_entropy(ablated_BK, labels_B, reduction="none")
    if not label_smoothing:
        return loss_B
    of_all_BK = _losses_of_all_labels(features_BFHW, weight_KF, background_BHW, background_weight, bias_K)
    return loss_B.lerp(of_all_BK.mean(1), label_smoothing)


def _losses_of_all_labels(
    features_BFHW: Tensor,
    weight_KF: Tensor,
    background_BHW: Tensor,
    background_weight: float,
    bias_K: Tensor | None,
) -> Tensor:
    """Return the loss of each sample with each class as label, of shape B,K."""
    dtype = loss_dtype(features_BFHW, weight_KF)
    cams_BKHW = hirescam(features_BFHW.to(dtype), weight_KF.to(dtype))
    background_B1P = background_BHW.to(dtype).flatten(1).unsqueeze(1)
    object_BK = (cams_BKHW.flatten(2) * (1 - background_B1P)).sum(2)
    if bias_K is not None:
        object_BK = object_BK + bias_K.to(dtype)
    background_BKP = cams_BKHW.flatten(2) * background_B1P
    contrast_BKK = torch.cdist(background_BKP, background_BKP, p=1)
    return torch.logsumexp(object_BK.unsqueeze(1) + background_weight * contrast_BKK, 2) - object_BK


def _ablated_logits(
    features_BFHW: Tensor,
    weight_KF: Tensor,
    labels_B: Tensor,
    background_BHW: Tensor,
    background_weight: float,
    bias_K: Tensor | None,
) -> Tensor:
    """Return `a_k` plus the foreground's share of the label's logit, which softmax ignores: all classes have it."""
    dtype = loss_dtype(features_BFHW, weight_KF)
    features_BFHW, weight_KF, background_BHW = (each.to(dtype) for each in (features_BFHW, weight_KF, background_BHW))
    object_BK, contrast_BK = class_evidence(features_BFHW.flatten(2), weight_KF, labels_B, background_BHW.flatten(1))
    ablated_BK = torch.add(object_BK, contrast_BK, alpha=background_weight)
    return ablated_BK if bias_K is None else ablated_BK + bias_K.to(dtype)
