"""Contrastive cross-entropy: cross-entropy in which the background speaks against every class.

B batch, K classes, F features, H W map.
"""

import torch
from torch import Tensor
from torch.nn import functional

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
    bias_K: Tensor | None = None,
) -> Tensor:
    """Return the cross-entropy, of shape B, over the ablated logits

    `a_k = -(sum_ij h*CC_(c,k) + b_c - b_k) + background_weight * sum_ij |(1-h)*CC_(c,k)|`, where `a_c = 0`,

    with the ContrastiveCAMs `CC_(c,k) = H_c - H_k`, the HiResCAMs `H_k = (W_k . A) / N` and `h = 1 - background`.
    Without background it is plain cross-entropy; with a background weight of at least 1 it is never less.
    It is computed in float32, or in float64 where features or weight are, under autocast too.
    Source: "Crossing Cross-Entropy" (Setpal 2024), eq. 6; OpenReview BDNctVKwuD calls it core-focused cross-entropy.

    Args:
        features_BFHW: The tensor `A` that is pooled.
        weight_KF: The head's weights `W`.
        labels_B: Class c of each sample, int64.
        background_BHW: Share of background in each cell of the map, in [0, 1]; 0 takes no penalty.
        background_weight: The penalty's weight, at least 0.
        bias_K: The head's bias `b`.

    Raises:
        ValueError: If shapes disagree or a value is out of range. Values of tensors on an accelerator are not
            checked, because that would wait for it.
    """
    check_head(features_BFHW, weight_KF, bias_K)
    check_labels(labels_B, num_samples=len(features_BFHW), num_classes=len(weight_KF))
    check_background(background_BHW, (len(features_BFHW), *features_BFHW.shape[2:]))
    check_not_negative("background_weight", background_weight)
    with torch.autocast(features_BFHW.device.type, enabled=False):
        ablated_BK = _ablated_logits(features_BFHW, weight_KF, labels_B, background_BHW, background_weight, bias_K)
        return functional.cross_entropy(ablated_BK, labels_B, reduction="none")


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
