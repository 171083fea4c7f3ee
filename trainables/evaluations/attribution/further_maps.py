"""Figures that compare a map with further ones: of the noised image, and of another class.

B batch, C channels, H W image.
"""

import torch
from torch import Tensor

from trainables.evaluations.attribution.degenerate import is_flat
from trainables.evaluations.attribution.explained import Explained, Explainer
from trainables.evaluations.attribution.sensitivity import max_sensitivities
from trainables.evaluations.attribution.similarity import structural_similarities


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


def max_sensitivity(explainer: Explainer, images: Explained) -> Tensor:
    """Return the max-sensitivity by the suite's settings; nan of an empty map."""
    settings = explainer.context.settings.attribution
    return max_sensitivities(
        explainer,
        images.images_BCHW,
        images.targets_B,
        images.map_BHW,
        radius=settings.sensitivity_radius,
        num_draws=settings.sensitivity_samples,
        generators=explainer.generators("max_sensitivity", images),
    )
