"""Larger pixels and compression, as in ImageNet-C (Hendrycks & Dietterich 2019).

C channels, H W image.
"""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

SHARE = (0.6, 0.5, 0.4, 0.3, 0.25)
QUALITY = (25, 18, 15, 10, 7)


def pixelate(image_CHW: Tensor, severity: int, _: torch.Generator) -> Tensor:
    """Return the image reduced to SHARE of its sides by means of areas, and enlarged again by repetition."""
    sides = [max(1, int(side * SHARE[severity - 1])) for side in image_CHW.shape[1:]]
    small = functional.interpolate(image_CHW.unsqueeze(0), sides, mode="area")
    return functional.interpolate(small, image_CHW.shape[1:], mode="nearest-exact").squeeze(0)


def jpeg_compression(image_CHW: Tensor, severity: int, _: torch.Generator) -> Tensor:
    """Return the image of 8 bits a channel after JPEG of QUALITY."""
    values_HWC = (255 * image_CHW).round().to(torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(values_HWC).save(file, "JPEG", quality=QUALITY[severity - 1])
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255
