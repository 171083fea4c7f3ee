"""Linear networks and images whose distance from a mistake is known in closed form.

P pixels of all channels. The score of class k is `w_k . x`, so an image of class y lies `(s_y - s_k) / |w_y - w_k|`
from class k, with the L1 norm for distances in the maximum norm and the L2 norm for Euclidean ones.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import Images, linear_classifier
from trainables.models import Classifier

SIZE = 8
NUM_PIXELS = 3 * SIZE * SIZE


class Scores(nn.Module):
    """Features of one cell: a linear function of all pixels for each class."""

    def __init__(self, weight_KP: Tensor) -> None:
        super().__init__()
        self.weight_KP = nn.Parameter(weight_KP)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return (images_BCHW.flatten(1) @ self.weight_KP.T)[:, :, None, None]


def two_classes() -> tuple[Classifier, Tensor]:
    """Return a network and the pixels' weights w_P: class 0 scores `w . x`, class 1 nothing.

    P w is +1, -1, +3, -3, +1, ... so the sum of w is 0, its L1 norm 2 and its L2 norm `sqrt(5 / P)`.
    """
    weight_P = torch.tensor([1.0, -1.0, 3.0, -3.0]).repeat(NUM_PIXELS // 4) / NUM_PIXELS
    return _network(torch.stack([weight_P, torch.zeros_like(weight_P)])), weight_P


def images_at(weight_P: Tensor, distances: Sequence[float], norm: str) -> Images:
    """Return grey images moved along w by so much that they lie at `distances` from a mistake; labels take turns."""
    own = weight_P.abs().sum() if norm == "linf" else weight_P.norm()
    images, labels = [], []
    for position, distance in enumerate(distances):
        label = position % 2
        score = distance * own * (1 - 2 * label)
        images.append((0.5 + score * weight_P / weight_P.square().sum()).view(3, SIZE, SIZE))
        labels.append(label)
    return in_memory(torch.stack(images), labels)


def four_classes() -> tuple[Classifier, Tensor]:
    """Return a network and weight_KP: each class scores the mean of a quarter of the pixels.

    `|w_y - w_k|` is 2 in L1 and `sqrt(2 / 48)` in L2.
    """
    weight_KP = torch.zeros(4, NUM_PIXELS)
    for quarter, row in enumerate(weight_KP):
        row[quarter::4] = 4 / NUM_PIXELS
    return _network(weight_KP), weight_KP


def quartered(weight_KP: Tensor, distances: Sequence[float], norm: str) -> Images:
    """Return grey images whose own quarter is brighter, at `distances` from every other class."""
    gap = 2.0 if norm == "linf" else (2 * 4 / NUM_PIXELS) ** 0.5
    labels = [position % 4 for position in range(len(distances))]
    images = [0.4 + distance * gap * (weight_KP[label] > 0) for distance, label in zip(distances, labels, strict=True)]
    return in_memory(torch.stack(images).view(-1, 3, SIZE, SIZE), labels)


def in_memory(images_NCHW: Tensor, labels: Sequence[int]) -> Images:
    number, _, height, width = images_NCHW.shape
    images = Images(images_NCHW, labels, torch.zeros(number, height, width), [False] * number)
    images.class_names = ("red", "green", "blue", "grey")
    return images


def convolutional(seed: int = 0, *, num_pictures: int = 16) -> tuple[Classifier, Images]:
    """Return a small network that is right on all of a few images of noise: their labels are what it says."""
    generator = torch.Generator().manual_seed(seed)
    trunk = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    model = Classifier(trunk, nn.Linear(8, 4)).eval()
    images = torch.rand(num_pictures, 3, SIZE, SIZE, generator=generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5)
        model.head.bias -= model(images).logits.mean(0)
        labels = model(images).logits.argmax(1)
    return model, in_memory(images, labels.tolist())


def _network(weight_KP: Tensor) -> Classifier:
    num_classes = len(weight_KP)
    return linear_classifier(torch.eye(num_classes).tolist(), trunk=Scores(weight_KP))
