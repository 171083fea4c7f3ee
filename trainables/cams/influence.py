"""How much of a ContrastiveCAM lies on the object, and how much on the background.

B batch, K classes, H W map.
"""

from torch import Tensor


def influence(contrastive_BKHW: Tensor, background_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return `sum_k sum_ij |CC_(c,k)|` on the object and on the background, each of shape B.

    Args:
        contrastive_BKHW: ContrastiveCAMs of each sample's class against every class.
        background_BHW: 1 on background, 0 on the object, between them where a cell holds both.

    Raises:
        ValueError: If the background is not on the maps' grid.
    """
    size = contrastive_BKHW.shape[:1] + contrastive_BKHW.shape[2:]
    if background_BHW.shape != size:
        raise ValueError(
            f"background has the shape {tuple(background_BHW.shape)}, and the maps need {tuple(size)}; "
            "reduce_background brings it onto their grid"
        )
    absolute_BHW = contrastive_BKHW.abs().sum(1)
    background_B = (absolute_BHW * background_BHW).sum((1, 2))
    foreground_B = (absolute_BHW * (1 - background_BHW)).sum((1, 2))
    return foreground_B, background_B
