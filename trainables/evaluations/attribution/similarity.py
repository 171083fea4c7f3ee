"""How alike two maps look: under noise on the image, and of two classes.

B batch, C channels, H W image.
"""

import torch
from torch import Tensor

from trainables.evaluations.attribution.explained import Explained, Explainer
from trainables.evaluations.attribution.maps import is_flat

MIN_SIDE = 6
"""SSIM's window of 11 pixels is mirrored at the border, which a smaller image cannot."""
DATA_RANGE = 1.0


def structural_similarities(reference_BHW: Tensor, other_BHW: Tensor) -> Tensor:
    """Return the SSIM of maps that are each brought to [0, 1], from -1 to 1; nan where the reference is flat.

    `(a - min a) / (max a - min a)` leaves the pattern alone, for SSIM is meant for values that are not negative: of
    signed ones it finds a map and its negative alike, as two of its factors change their sign. A flat `other` becomes
    zero. The window is Gaussian with sigma 1.5, the data range 1. Source: Wang et al. 2004, eq. 13.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    similarity_B = structural_similarity_index_measure(
        _stretched(other_BHW).unsqueeze(1),
        _stretched(reference_BHW).unsqueeze(1),
        sigma=1.5,
        reduction="none",
        data_range=DATA_RANGE,
    )
    assert isinstance(similarity_B, Tensor)
    return similarity_B.masked_fill(is_flat(reference_BHW), torch.nan)


def continuity(explainer: Explainer, images: Explained) -> Tensor:
    """Return the SSIM with the map of `clamp(x + sigma*N(0,1), 0, 1)` for the same target; nan of a flat map."""
    noise_BCHW = [
        torch.randn(image_CHW.shape, generator=generator)
        for image_CHW, generator in zip(images.images_BCHW, explainer.generators("continuity", images), strict=True)
    ]
    sigma = explainer.context.settings.attribution.noise_sigma
    noised_BCHW = (images.images_BCHW + sigma * torch.stack(noise_BCHW)).clamp(0, 1)
    return structural_similarities(images.map_BHW, explainer(noised_BCHW, images.targets_B))


def contrastivity(explainer: Explainer, images: Explained) -> Tensor:
    """Return the SSIM with the map of the strongest rival; nan where either is flat."""
    rival_BHW = explainer(images.images_BCHW, images.rivals_B)
    return structural_similarities(images.map_BHW, rival_BHW).masked_fill(is_flat(rival_BHW), torch.nan)


def _stretched(map_BHW: Tensor) -> Tensor:
    above_BHW = map_BHW.double() - map_BHW.double().amin((1, 2), keepdim=True)
    largest_B11 = above_BHW.amax((1, 2), keepdim=True)
    stretched_BHW = (above_BHW / largest_B11.where(largest_B11 > 0, 1)).masked_fill(is_flat(map_BHW).view(-1, 1, 1), 0)
    # SSIM subtracts squares of close values, which in [0, 1] costs float32 less than a thousandth of its constants.
    return stretched_BHW.float()
