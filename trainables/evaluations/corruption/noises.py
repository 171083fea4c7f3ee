"""Noise on every pixel and channel, as in ImageNet-C (Hendrycks & Dietterich 2019).

C channels, H W image.
"""

import torch
from torch import Tensor

SIGMA = (0.08, 0.12, 0.18, 0.26, 0.38)
COUNTS = (60, 25, 12, 5, 3)
AMOUNT = (0.03, 0.06, 0.09, 0.17, 0.27)


def gaussian_noise(image_CHW: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Return `x + z` with `z ~ N(0, SIGMA^2)`."""
    noise_CHW = SIGMA[severity - 1] * torch.randn(image_CHW.shape, generator=generator)
    return (image_CHW + noise_CHW).clamp(0, 1)


def shot_noise(image_CHW: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Return `n / c` with `n ~ Poisson(c x)`, where c is how much light a white pixel counts."""
    count = COUNTS[severity - 1]
    return (torch.poisson(count * image_CHW, generator=generator) / count).clamp(max=1)


def impulse_noise(image_CHW: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Return the image with a share AMOUNT of its values replaced, half by 0 and half by 1."""
    amount = AMOUNT[severity - 1]
    draw_CHW = torch.rand(image_CHW.shape, generator=generator)
    with_black_CHW = torch.where(draw_CHW < amount / 2, 0.0, image_CHW)
    return torch.where(draw_CHW >= 1 - amount / 2, 1.0, with_black_CHW)
