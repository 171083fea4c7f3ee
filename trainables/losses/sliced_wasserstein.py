"""The sliced Wasserstein distance between the ContrastiveCAMs, taken together, and the mask.

Each cell is a point: its values in the K-1 maps of a class c against its rivals, and besides them the mask `10 * h`,
which keeps the object's cells with the object's when sorted. The target has `target_logit * h / sum(h)` in every map.
Its sum `target_logit = -log((1-p) / (p*(K-1)))` gives the class the probability p. A direction is a unit vector over
the rivals; the mask's coordinate counts as it is. The distance along a direction is the mean over the cells of the
squared difference of the sorted projections. What exceeds the target inside the object costs nothing:
`CC - h * max(0, CC - target)` is projected.

Source: the public code jinensetpal/contrastive-optimization, after Heitz et al. 2021, from whom the mask's coordinate
is. That code judges over-activation on the sorted projections, where a direction with a negative sum takes it for the
opposite; here it is judged on each map.

B batch, K classes, H W map, P = H*W cells, M directions.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from trainables.losses.checks import check_maps
from trainables.losses.precision import loss_dtype

MASK_SCALE = 10.0


def sliced_wasserstein(
    contrastive_BKHW: Tensor,
    labels_B: Tensor,
    background_BHW: Tensor,
    *,
    num_directions: int = 64,
    target_probability: float = 0.95,
) -> Tensor:
    """Return the mean squared 2-Wasserstein distance of random projections of maps and target, of shape B.

    It is 0 for a sample whose mask has no object. The directions are drawn from torch's global generator on the maps'
    device, the same for all samples. It is computed in float32, or in float64 where the maps are, under autocast too.

    Args:
        contrastive_BKHW: ContrastiveCAMs of each sample's class against every class; 0 for its own.
        labels_B: Class c of each sample, int64.
        background_BHW: Share of background in each cell of the map, in [0, 1].
        num_directions: Directions to draw.
        target_probability: p, above 1/K, so that the target speaks for the class.

    Raises:
        ValueError: If shapes disagree or a value is out of range.
    """
    check_maps(contrastive_BKHW, labels_B, background_BHW)
    num_classes = contrastive_BKHW.shape[1]
    if num_directions < 1:
        raise ValueError(f"num_directions = {num_directions}; expected 1 or more")
    if not 1 / num_classes < target_probability < 1:
        raise ValueError(
            f"target_probability = {target_probability}; expected more than 1/{num_classes}, which is chance among "
            f"{num_classes} classes, and less than 1"
        )
    dtype = loss_dtype(contrastive_BKHW)
    directions_MK = torch.randn(num_directions, num_classes, dtype=dtype, device=contrastive_BKHW.device)
    target_logit = math.log(target_probability * (num_classes - 1) / (1 - target_probability))
    return distance_along(directions_MK, contrastive_BKHW, labels_B, background_BHW, target_logit=target_logit)


def distance_along(
    directions_MK: Tensor, contrastive_BKHW: Tensor, labels_B: Tensor, background_BHW: Tensor, *, target_logit: float
) -> Tensor:
    """Return the distance along directions, less each sample's own class's coordinate and then brought to length 1."""
    dtype = directions_MK.dtype
    with torch.autocast(contrastive_BKHW.device.type, enabled=False):
        maps_BKP = contrastive_BKHW.to(dtype).flatten(2)
        object_BP = 1 - background_BHW.to(dtype).flatten(1)
        has_object_B = object_BP.amax(1) > 0
        share_BP = object_BP / torch.where(has_object_B, object_BP.sum(1), 1).unsqueeze(1)
        target_B1P = target_logit * share_BP.unsqueeze(1)
        tag_B1P = MASK_SCALE * object_BP.unsqueeze(1)
        clipped_BKP = maps_BKP - object_BP.unsqueeze(1) * functional.relu(maps_BKP - target_B1P)
        rivals_BK = 1 - functional.one_hot(labels_B, maps_BKP.shape[1]).to(dtype)
        length_BM1 = _length(rivals_BK @ directions_MK.square().T).unsqueeze(2)
        predicted_BMP = directions_MK @ clipped_BKP / length_BM1 + tag_B1P
        target_BMP = (rivals_BK @ directions_MK.T).unsqueeze(2) / length_BM1 * target_B1P + tag_B1P
        gap_BMP = predicted_BMP.sort(2).values - target_BMP.sort(2).values
        return torch.where(has_object_B, gap_BMP.square().mean((1, 2)), 0)


def _length(squared: Tensor) -> Tensor:
    return squared.clamp(min=torch.finfo(squared.dtype).tiny).sqrt()
