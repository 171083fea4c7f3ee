"""Images out of focus, moved, or zoomed into while they are taken, as in ImageNet-C (Hendrycks & Dietterich 2019).

Radii are published for 224 px and shrink with the image.
C channels, H W image, S side of a kernel.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from trainables.evaluations.corruption.severity import in_pixels

RADIUS = (3, 4, 6, 8, 10)
"""Of the disc that a point becomes out of focus."""
MOTION = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
"""Half of the way of a point, and the deviation of the Gaussian by which its places weigh."""
ZOOM = ((1.11, 12), (1.15, 16), (1.20, 11), (1.24, 13), (1.30, 11))
"""The largest zoom, and how many there are from 1 on. That of 1.11 is in the published code, by rounding."""
_SUBPIXELS = 15
"""Points along a side of a pixel, by which the share of it that a disc covers is counted."""


def defocus_blur(image_CHW: Tensor, severity: int, _: torch.Generator) -> Tensor:
    """Return the image convolved with a disc; its edge is smooth by the share of each pixel that it covers."""
    return convolved(image_CHW, disc(in_pixels(RADIUS[severity - 1], image_CHW)))


def motion_blur(image_CHW: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Return the image moved along a line, at an angle drawn between -45 and 45 degrees to the rows."""
    radius, sigma = (in_pixels(length, image_CHW) for length in MOTION[severity - 1])
    angle = math.radians(90 * float(torch.rand((), generator=generator)) - 45)
    return mean_of_shifts(image_CHW, line(radius, sigma, angle))


def zoom_blur(image_CHW: Tensor, severity: int, _: torch.Generator) -> Tensor:
    """Return the mean of the image and of its centre enlarged in equal steps, the first of which is the image too."""
    zooms = torch.linspace(1, *ZOOM[severity - 1]).tolist()
    return torch.stack([image_CHW, *(zoomed(image_CHW, zoom) for zoom in zooms)]).mean(0)


def disc(radius: float) -> Tensor:
    """Return the share of each pixel that a disc around the centre of the middle one covers, SS, of sum 1."""
    reach = math.ceil(max(radius - 0.5, 0))
    side = 2 * reach + 1
    # Whole numbers first, so that points on either side are equally far from the middle.
    points = (torch.arange(side * _SUBPIXELS) - side * _SUBPIXELS // 2).double() / _SUBPIXELS
    is_inside = points[:, None] ** 2 + points**2 <= max(radius, 0.5) ** 2
    covered_SS = is_inside.double().view(side, _SUBPIXELS, side, _SUBPIXELS).mean((1, 3))
    return (covered_SS / covered_SS.sum()).float()


def line(radius: float, sigma: float, angle: float) -> Tensor:
    """Return the weights `exp(-i^2 / (2 sigma^2))` of the places i = 0, 1 .. 2 radius along a line, SS, of sum 1.

    The line begins in the middle, and the angle in radians is that to the rows.
    """
    reach = round(2 * radius)
    weights_SS = torch.zeros(2 * reach + 1, 2 * reach + 1)
    for place in range(reach + 1):
        row, column = reach + round(place * math.sin(angle)), reach + round(place * math.cos(angle))
        weights_SS[row, column] += math.exp(-(place**2) / (2 * sigma**2))
    return weights_SS / weights_SS.sum()


def zoomed(image_CHW: Tensor, zoom: float) -> Tensor:
    """Return the centre of the image, each side of which is `ceil(side / zoom)`, at the image's size (bilinear)."""
    height, width = image_CHW.shape[1:]
    rows, columns = math.ceil(height / zoom), math.ceil(width / zoom)
    top, left = (height - rows) // 2, (width - columns) // 2
    centre_CHW = image_CHW[:, top : top + rows, left : left + columns]
    enlarged = functional.interpolate(centre_CHW.unsqueeze(0), (height, width), mode="bilinear", align_corners=True)
    return enlarged.squeeze(0)


def convolved(image_CHW: Tensor, kernel_SS: Tensor) -> Tensor:
    """Return each pixel's mean by the weights of those around it; beyond the edge lies the edge."""
    reach = kernel_SS.shape[0] // 2
    padded = functional.pad(image_CHW.unsqueeze(1), [reach] * 4, mode="replicate")
    return functional.conv2d(padded, kernel_SS.view(1, 1, *kernel_SS.shape)).squeeze(1).clamp(0, 1)


def mean_of_shifts(image_CHW: Tensor, kernel_SS: Tensor) -> Tensor:
    """Return what `convolved` does, as a sum of shifted images: cheaper where few weights are above 0, as on a line."""
    reach, (height, width) = kernel_SS.shape[0] // 2, image_CHW.shape[1:]
    padded_CHW = functional.pad(image_CHW, [reach] * 4, mode="replicate")
    mean_CHW = torch.zeros_like(image_CHW)
    for row, column in kernel_SS.nonzero().tolist():
        shifted_CHW = padded_CHW[:, row : row + height, column : column + width]
        mean_CHW.add_(shifted_CHW, alpha=float(kernel_SS[row, column]))
    return mean_CHW.clamp(0, 1)
