"""The margin of a class over another as an exact sum over channels, and how many of them count.

B images, K classes, F channels, H W map, P = H*W cells, S sums.
"""

import torch
from torch import Tensor

MARGIN_GAP = 0.1


def pool(features_BFHW: Tensor, background_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return `mean_ij A_f` and `mean_ij g_ij A_f` with the background g, both float64 B,F.

    Args:
        features_BFHW: What is pooled into the logits.
        background_BHW: Each cell's share of background, on the map's grid.
    """
    weights_BPS = torch.stack([torch.ones_like(background_BHW), background_BHW], -1).flatten(1, 2).double()
    # One image at a time: all in float64 would be twice the features.
    sums = [
        features_FHW.flatten(1).double() @ weights_PS
        for features_FHW, weights_PS in zip(features_BFHW, weights_BPS, strict=True)
    ]
    pooled_BF, background_BF = (torch.stack(sums) / weights_BPS.shape[1]).unbind(-1)
    return pooled_BF, background_BF


def contributions(pooled_BF: Tensor, weight_KF: Tensor, classes_B: Tensor, rivals_B: Tensor) -> Tensor:
    """Return `D_f = (W_cf - W_rf) mean_ij A_f`, B,F, the sum over cells of what channel f adds to CC_(c,r).

    `sum_f D_f = s_c - s_r - (b_c - b_r)`. Features pooled over a part of the cells give what that part adds.
    """
    return (weight_KF[classes_B] - weight_KF[rivals_B]) * pooled_BF


def strongest(contributions_BF: Tensor, num: int) -> Tensor:
    """Return the `num` channels of the largest absolute contributions, the largest first; of equal ones the first."""
    return contributions_BF.abs().argsort(dim=1, descending=True, stable=True)[:, :num]


def effective_number(contributions_BF: Tensor) -> Tensor:
    """Return `exp(-sum_f p_f log p_f)` with `p_f = |D_f| / sum |D|`, B; nan where all are 0.

    It is n where n channels contribute alike and the others nothing.
    """
    size_BF = contributions_BF.abs()
    entropy_B: Tensor = torch.special.entr(size_BF / size_BF.sum(1, keepdim=True)).sum(1)
    return entropy_B.exp()


def num_needed(contributions_BF: Tensor, gap: float = MARGIN_GAP) -> Tensor:
    """Return how many of the strongest channels sum to `sum_f D_f`, but for a `gap` of it at most.

    That sum is the margin without the bias. More channels must not widen the gap again, since contributions of both
    signs cancel. The result is float64 B, nan where all are 0.
    """
    num_channels = contributions_BF.shape[1]
    sums_BF = contributions_BF.gather(1, strongest(contributions_BF, num_channels)).cumsum(1)
    total_B1 = sums_BF[:, -1:]
    is_off_BF = (sums_BF - total_B1).abs() > gap * total_B1.abs()
    last_off_B = (is_off_BF * torch.arange(1, num_channels + 1, device=sums_BF.device)).amax(1)
    return torch.where(contributions_BF.any(1), last_off_B + 1.0, torch.nan).double()


def background_share(object_BF: Tensor, background_BF: Tensor, dim: int | None = None) -> Tensor:
    """Return `|D_bg| / (|D_obj| + |D_bg|)`, of each channel or of the sums over `dim`; nan where both are 0."""
    sizes = object_BF.abs(), background_BF.abs()
    object_, background = sizes if dim is None else (size.sum(dim) for size in sizes)
    return background / (object_ + background)
