"""Larger pixels and compression, as in ImageNet-C (Hendrycks & Dietterich 2019).

C channels, H W image.
"""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SHARE = (0.6, 0.5, 0.4, 0.3, 0.25)
QUALITY = (25, 18, 15, 10, 7)


def pixelate(image_CHW: Tensor, severity: int, _: torch.Generator) -> Tensor:
    """Return the image of 8 bits a channel reduced to SHARE of its sides and enlarged again, both by Pillow's BOX."""
    image = _to_pillow(image_CHW)
    width, height = (max(1, int(side * SHARE[severity - 1])) for side in image.size)
    small = image.resize((width, height), Image.Resampling.BOX)
    return _from_pillow(small.resize(image.size, Image.Resampling.BOX))


def jpeg_compression(image_CHW: Tensor, severity: int, _: torch.Generator) -> Tensor:
    """Return the image of 8 bits a channel after JPEG of QUALITY."""
    file = io.BytesIO()
    _to_pillow(image_CHW).save(file, "JPEG", quality=QUALITY[severity - 1])
    return _from_pillow(Image.open(file))


def _to_pillow(image_CHW: Tensor) -> Image.Image:
    return Image.fromarray((255 * image_CHW).round().to(torch.uint8).permute(1, 2, 0).numpy())


def _from_pillow(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
