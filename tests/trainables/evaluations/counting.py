"""A network that tells how much of a colour an image has, and images of 4 x 4 pixels to count in."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import Images, linear_classifier
from trainables.models import Classifier

NUM_PIXELS = 16
RED, GREEN, BLUE = range(3)


class _WithLimit(nn.Module):
    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return torch.cat([images_BCHW, torch.full_like(images_BCHW[:, :1], self.limit)], dim=1)


def more_than(limit: float, colour: int) -> Classifier:
    """Return a network that says class 0 where the colour's pixels sum to more than `limit`, and else class 1."""
    own = [float(channel == colour) for channel in range(3)]
    return linear_classifier([[*own, 0.0], [0.0, 0.0, 0.0, 1.0]], trunk=_WithLimit(limit / NUM_PIXELS))


def two_pixels() -> Tensor:
    """Return the mask of an object of two pixels, whose bounding box is 2 x 2."""
    object_HW = torch.zeros(4, 4)
    object_HW[1, 1] = object_HW[2, 2] = 1
    return object_HW


def painted(backgrounds: Sequence[int], labels: Sequence[int], object_NHW: Tensor) -> Images:
    """Return images with one pure colour as background each, and green objects."""
    objects = object_NHW.expand(len(labels), -1, -1)
    images = torch.zeros(len(labels), 3, 4, 4)
    for image, colour, object_HW in zip(images, backgrounds, objects, strict=True):
        image[colour] = 1 - object_HW
        image[GREEN] += object_HW
    return Images(images, labels, 1 - objects, [True] * len(labels))
