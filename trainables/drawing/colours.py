"""Signed maps as colours over a grey image, blue below zero, clear at zero, red above, and the colours around them.

H W pixels, C colours.
"""

import torch
from PIL import Image
from torch import Tensor

RED = (0.79, 0.0, 0.13)
BLUE = (0.02, 0.33, 0.69)
OPACITY = 0.85
BLACK_POINT = 0.45
LUMINANCE = (0.299, 0.587, 0.114)
PAPER, INK, FAINT, FRAME = "#ffffff", "#1c1c1c", "#6b6b6b", "#c4c4c4"


def overlay(values_HW: Tensor, grey_HW: Tensor) -> Tensor:
    """Blend values in [-1, 1] over a grey image in [0, 1]; the opacity grows with the value's size.

    Returns:
        Colours in [0, 1] of shape C,H,W.
    """
    positive = (values_HW > 0).unsqueeze(0)
    colour_CHW = torch.where(positive, _as_column(RED), _as_column(BLUE))
    alpha_HW = OPACITY * values_HW.abs().clamp(max=1)
    return alpha_HW * colour_CHW + (1 - alpha_HW) * grey_HW


def pale_grey(image_CHW: Tensor) -> Tensor:
    """Return an image's luminance of shape H,W, lightened so that colours also show where it is dark."""
    luminance_HW = (image_CHW * _as_column(LUMINANCE)).sum(0)
    return BLACK_POINT + (1 - BLACK_POINT) * luminance_HW


def to_image(image_CHW: Tensor) -> Image.Image:
    """Return an image in [0, 1], of three colours on the CPU, as an image."""
    pixels_HWC = (image_CHW.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    return Image.fromarray(pixels_HWC.numpy())


def _as_column(colour: tuple[float, float, float]) -> Tensor:
    return torch.tensor(colour).view(3, 1, 1)
