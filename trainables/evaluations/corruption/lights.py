"""More light and less contrast, as in ImageNet-C (Hendrycks & Dietterich 2019).

C channels, H W image.
"""

import torch
from torch import Tensor

LIGHT = (0.1, 0.2, 0.3, 0.4, 0.5)
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)


def brightness(image_CHW: Tensor, severity: int, _: torch.Generator) -> Tensor:
    """Return the image with LIGHT added to its value in HSV, the largest of the three colours; hue and saturation stay.

    So the colours are scaled by the new value over the old one, and black becomes grey.
    """
    value_1HW = image_CHW.amax(0, keepdim=True)
    brighter_1HW = (value_1HW + LIGHT[severity - 1]).clamp(max=1)
    scaled_CHW = image_CHW / torch.where(value_1HW > 0, value_1HW, 1) * brighter_1HW
    return torch.where(value_1HW > 0, scaled_CHW, brighter_1HW)


def contrast(image_CHW: Tensor, severity: int, _: torch.Generator) -> Tensor:
    """Return `m + c (x - m)`, with each channel's mean m and c of CONTRAST."""
    mean_C11 = image_CHW.mean((1, 2), keepdim=True)
    return (mean_C11 + CONTRAST[severity - 1] * (image_CHW - mean_C11)).clamp(0, 1)
