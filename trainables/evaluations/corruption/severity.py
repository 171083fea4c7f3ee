"""What a corruption is, and how strong it may be."""

from collections.abc import Callable

import torch
from torch import Tensor

Corruption = Callable[[Tensor, int, torch.Generator], Tensor]
"""From an image CHW with pixels in [0, 1], a severity and a source of random numbers to the corrupted image."""
SEVERITIES = (1, 2, 3, 4, 5)
PUBLISHED_SIDE = 224
"""Side in pixels of the images for which lengths are published."""


def in_pixels(published: float, image_CHW: Tensor) -> float:
    """Return a length, published for images of 224 px, for the shorter side of this image."""
    return published * min(image_CHW.shape[1:]) / PUBLISHED_SIDE
