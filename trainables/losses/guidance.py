"""Attribution guidance: the HiResCAM of the label, without its rivals, is to lie on the object.

Source: Rao et al. 2023, "Studying How to Efficiently and Effectively Guide Models with Explanations", and its code,
sukrutrao/Model-Guidance. There a map is first enlarged to the image, so that `squares` has more to sum, and a mask is
made of boxes; here map and mask are on the map's grid, and a cell half on the object counts half.

B batch, K classes, H W map, P = H*W cells.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from trainables.losses.checks import check_maps
from trainables.losses.precision import loss_dtype

Guidance = Literal["energy", "l1", "ppce", "squares"]
MIN_ENERGY = 1e-7
"""A map with less positive attribution is not divided by it, as in the public code."""


def guidance(cams_BKHW: Tensor, labels_B: Tensor, background_BHW: Tensor, *, loss: Guidance = "energy") -> Tensor:
    """Return how far each label's map `H = H_c` is from the object, of shape B. With `H+ = max(H, 0)`,

    `energy`: `1 - sum_ij h*H+ / sum_ij H+`,
    `l1`: `mean_ij |H+ / max H+ - h|`,
    `ppce`: `-sum_ij h * log(H+ / max H+) / sum_ij h`, the binary cross-entropy on the object, where each logarithm is
    at least -100,
    `squares`: `sum_ij (1-h) * (H / max |H|)^2`,

    where `h = 1 - background`. A map without positive attribution has `H+ = 0`, and its gradient is 0. The loss is 0
    for a sample whose mask has no object. It is computed in float32, or in float64 where the maps are, under autocast
    too.

    Args:
        cams_BKHW: HiResCAMs.
        labels_B: Class c of each sample, int64.
        background_BHW: Share of background in each cell of the map, in [0, 1].
        loss: Which of the four.

    Raises:
        ValueError: If shapes disagree, a value is out of range or `loss` is none of the four.
    """
    check_maps(cams_BKHW, labels_B, background_BHW)
    if loss not in _LOSSES:
        raise ValueError(f"loss = {loss!r}; expected one of {', '.join(_LOSSES)}")
    dtype = loss_dtype(cams_BKHW)
    with torch.autocast(cams_BKHW.device.type, enabled=False):
        own_B1HW = torch.take_along_dim(cams_BKHW.to(dtype), labels_B.view(-1, 1, 1, 1), dim=1)
        object_BP = 1 - background_BHW.to(dtype).flatten(1)
        return torch.where(object_BP.amax(1) > 0, _LOSSES[loss](own_B1HW.flatten(1), object_BP), 0)


def _energy(maps_BP: Tensor, object_BP: Tensor) -> Tensor:
    positive_BP = functional.relu(maps_BP)
    total_B = positive_BP.sum(1)
    return 1 - (object_BP * positive_BP).sum(1) / torch.where(total_B < MIN_ENERGY, 1, total_B)


def _l1(maps_BP: Tensor, object_BP: Tensor) -> Tensor:
    return (_scaled(functional.relu(maps_BP)) - object_BP).abs().mean(1)


def _ppce(maps_BP: Tensor, object_BP: Tensor) -> Tensor:
    scaled_BP = _scaled(functional.relu(maps_BP))
    # torch's has finite gradients at 0, where it takes the logarithm for -100.
    loss_BP = functional.binary_cross_entropy(scaled_BP, torch.ones_like(scaled_BP), reduction="none")
    num_object_B = object_BP.sum(1)
    return (object_BP * loss_BP).sum(1) / torch.where(num_object_B > 0, num_object_B, 1)


def _squares(maps_BP: Tensor, object_BP: Tensor) -> Tensor:
    return ((1 - object_BP) * _scaled(maps_BP).square()).sum(1)


def _scaled(maps_BP: Tensor) -> Tensor:
    """Return maps divided by their largest absolute value; a map of zeros stays."""
    largest_B1 = maps_BP.abs().amax(1, keepdim=True)
    return maps_BP / torch.where(largest_B1 > 0, largest_B1, 1)


_LOSSES = {"energy": _energy, "l1": _l1, "ppce": _ppce, "squares": _squares}
