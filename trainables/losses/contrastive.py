"""Contrastive cross-entropy: cross-entropy in which the background speaks against every class.

B batch, K classes, F features, H W map.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from trainables.losses.absolute_contrast import absolute_contrast

ROUNDING = 1e-5


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
    _check_shapes(features_BFHW, weight_KF, labels_B, background_BHW, bias_K)
    _check_values(len(weight_KF), labels_B, background_BHW, background_weight)
    dtype = torch.promote_types(torch.promote_types(features_BFHW.dtype, weight_KF.dtype), torch.float32)
    with torch.autocast(features_BFHW.device.type, enabled=False):
        features_BFP = features_BFHW.to(dtype).flatten(2)
        weight_KF = weight_KF.to(dtype)
        background_BP = background_BHW.to(dtype).flatten(1) / features_BFP.shape[2]
        foreground_BP = (1 - background_BHW.to(dtype)).flatten(1) / features_BFP.shape[2]
        pooled_BF = torch.bmm(features_BFP, foreground_BP.unsqueeze(2)).squeeze(2)
        # Softmax ignores what all classes share, so a_k + (s_c on the foreground) does as well as a_k.
        ablated_BK = functional.linear(pooled_BF, weight_KF, None if bias_K is None else bias_K.to(dtype))
        if background_weight > 0:
            penalty_BK = absolute_contrast(features_BFP * background_BP.unsqueeze(1), weight_KF, labels_B)
            ablated_BK = torch.add(ablated_BK, penalty_BK, alpha=background_weight)
        return functional.cross_entropy(ablated_BK, labels_B, reduction="none")


def _check_shapes(
    features_BFHW: Tensor, weight_KF: Tensor, labels_B: Tensor, background_BHW: Tensor, bias_K: Tensor | None
) -> None:
    if features_BFHW.ndim != 4:
        raise ValueError(f"features have the shape {tuple(features_BFHW.shape)}; expected B,F,H,W")
    num_samples, num_features, height, width = features_BFHW.shape
    if weight_KF.ndim != 2 or weight_KF.shape[1] != num_features:
        raise ValueError(f"weight has the shape {tuple(weight_KF.shape)}; expected K,{num_features} for the features")
    expected = {"labels": (labels_B, (num_samples,)), "background": (background_BHW, (num_samples, height, width))}
    if bias_K is not None:
        expected["bias"] = (bias_K, (len(weight_KF),))
    for name, (tensor, shape) in expected.items():
        if tensor.shape != shape:
            raise ValueError(f"the shape of {name} is {tuple(tensor.shape)}; expected {shape}")
    if labels_B.dtype != torch.int64:
        raise ValueError(f"labels are {labels_B.dtype}; expected torch.int64")


def _check_values(num_classes: int, labels_B: Tensor, background_BHW: Tensor, background_weight: float) -> None:
    if not (math.isfinite(background_weight) and background_weight >= 0):
        raise ValueError(f"background_weight = {background_weight}; expected a finite number of at least 0")
    _check_range("labels", labels_B, 0, num_classes - 1)
    _check_range("background", background_BHW, 0, 1)


def _check_range(name: str, values: Tensor, low: int, high: int) -> None:
    if values.device.type != "cpu" or not values.numel():
        return
    smallest, largest = values.min().item(), values.max().item()
    if not (low - ROUNDING <= smallest and largest <= high + ROUNDING):
        raise ValueError(f"values of {name} lie between {smallest} and {largest}; expected {low} to {high}")
