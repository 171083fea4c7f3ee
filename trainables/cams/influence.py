"""How much of a map lies on the object, and how much on the background.

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


def class_influence(cams_BKHW: Tensor, object_BKHW: Tensor, background_BKHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return `sum_ij |H_k|` on each class's own object and on its background, each of shape B,K.

    Args:
        cams_BKHW: HiResCAMs: where classes do not exclude each other, a class has no rival to be contrasted with.
        object_BKHW: Each cell's share of each class's object.
        background_BKHW: Its share of that class's background; void pixels count for neither.
    """
    absolute_BKHW = cams_BKHW.abs()
    return (absolute_BKHW * object_BKHW).sum((2, 3)), (absolute_BKHW * background_BKHW).sum((2, 3))
