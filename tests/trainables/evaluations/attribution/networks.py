"""Networks for maps: one that is linear in its pixels, and one that is not.

B batch, C channels, H W image.
"""

import torch
from torch import nn

from tests.trainables.evaluations.conftest import linear_classifier
from trainables.models import Classifier

RED_AGAINST_GREEN = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
"""On images of N pixels `s_0 = 2 * sum(red) / N` and `s_1 = sum(green) / N`."""


def red_against_green() -> Classifier:
    return linear_classifier(RED_AGAINST_GREEN)


def small_network(*, num_classes: int = 3, bias: bool = True) -> Classifier:
    """Return a network of random weights whose map has half the image's height and width."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        trunk = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(6, 5, 3, padding=1, stride=2),
            nn.BatchNorm2d(5),
            nn.ReLU(),
        )
        head = nn.Linear(5, num_classes, bias=bias)
    return Classifier(trunk, head).eval()


def make_images(num: int, *, side: int = 8, seed: int = 0) -> torch.Tensor:
    """Return images_BCHW with pixels in [0.1, 1)."""
    return 0.1 + 0.9 * torch.rand(num, 3, side, side, generator=torch.Generator().manual_seed(seed))
