"""The Kullback-Leibler divergence between the mask and each ContrastiveCAM, both as distributions over the cells.

Probabilities are not clamped: both logarithms are exact. At a large mask scale only those cells count of which the
object has most.

Source: over the map it is OpenReview BDNctVKwuD, eq. 18; on the foreground, eq. 10 of the draft in the public
repository jinensetpal/contrastive-optimization, whose code clamps q_k from below and sums over all K maps, so that
its weight is K-1 times as large here.

B batch, K classes, H W map, P = H*W cells.
"""

from typing import Literal

import torch
from torch import Tensor

from trainables.losses.checks import check_maps, check_not_negative
from trainables.losses.precision import loss_dtype

Where = Literal["map", "foreground"]


def mask_divergence(
    contrastive_BKHW: Tensor,
    labels_B: Tensor,
    background_BHW: Tensor,
    *,
    where: Where = "map",
    mask_scale: float = 1000.0,
    map_scale: float = 10.0,
) -> Tensor:
    """Return the mean over the K-1 rivals k of a class c, of shape B, of

    `map`: `KL(p || q_k) = sum_ij p * (log p - log q_k)`, or
    `foreground`: `sum_ij h*p * (0 - log q_k)`: the target's log-probability is 0 on the object, and the object alone is
    counted, a cell half on it half,

    with `p = softmax(mask_scale * h)` and `q_k = softmax(map_scale * CC_(c,k))` over the cells, the ContrastiveCAMs
    `CC_(c,k) = H_c - H_k` and `h = 1 - background`. It is 0 for a sample whose mask has no object.
    It is computed in float32, or in float64 where the maps are, under autocast too.

    Args:
        contrastive_BKHW: ContrastiveCAMs of each sample's class against every class; the own class's is left out.
        labels_B: Class c of each sample, int64.
        background_BHW: Share of background in each cell of the map, in [0, 1].
        where: What is counted.
        mask_scale: Factor on the mask before its softmax.
        map_scale: Factor on the maps before theirs.

    Raises:
        ValueError: If shapes disagree, a value is out of range or `where` is none of the two.
    """
    check_maps(contrastive_BKHW, labels_B, background_BHW)
    if where not in ("map", "foreground"):
        raise ValueError(f"where = {where!r}; expected map or foreground")
    check_not_negative("mask_scale", mask_scale)
    check_not_negative("map_scale", map_scale)
    dtype = loss_dtype(contrastive_BKHW)
    with torch.autocast(contrastive_BKHW.device.type, enabled=False):
        object_BP = 1 - background_BHW.to(dtype).flatten(1)
        log_maps_BKP = (map_scale * contrastive_BKHW.to(dtype).flatten(2)).log_softmax(2)
        return _mean_divergence(log_maps_BKP, labels_B, object_BP, mask_scale, where)


def _mean_divergence(
    log_maps_BKP: Tensor, labels_B: Tensor, object_BP: Tensor, mask_scale: float, where: Where
) -> Tensor:
    """Return the mean over the rivals, 0 for a sample without an object."""
    log_mask_BP = (mask_scale * object_BP).log_softmax(1)
    mask_BP = log_mask_BP.exp() * (object_BP if where == "foreground" else 1)
    cross_BK = -torch.bmm(log_maps_BKP, mask_BP.unsqueeze(2)).squeeze(2)
    loss_B = cross_BK.scatter(1, labels_B.unsqueeze(1), 0).sum(1) / (cross_BK.shape[1] - 1)
    if where == "map":
        loss_B = loss_B + (mask_BP * log_mask_BP).sum(1)
    return torch.where(object_BP.amax(1) > 0, loss_B, 0)
