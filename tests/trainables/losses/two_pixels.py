"""A world of two pixels, object and background, which both give the class away.

Pixel 0 is the object and pixel 1 the background, both 1 in class 1 and -1 in class 0. Each has a feature of its own.
A head of the weights (a, b) for class 1 and (-a, -b) for class 0 has the logits `s_1 = -s_0 = (a*x_0 + b*x_1) / 2`, so
that the margin is `a + b` in favour of the label, whose HiResCAM is `(a, b) / 2`.

B batch, C channels, H W image.
"""

import torch
from torch import Tensor, nn

from trainables.config import ObjectiveConfig
from trainables.data import Batch
from trainables.losses import build_objective, reduce_terms
from trainables.models import Classifier


class OwnFeatures(nn.Module):
    """Gives each of two pixels a feature that is 0 at the other."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return images_BCHW[:, :1] * torch.eye(2, dtype=images_BCHW.dtype).view(1, 2, 1, 2)


def network(a: float, b: float) -> Classifier:
    head = nn.Linear(2, 2, bias=False, dtype=torch.float64)
    head.weight.data.copy_(torch.tensor([[-a, -b], [a, b]]))
    return Classifier(OwnFeatures(), head, mean=(0, 0, 0), std=(1, 1, 1)).double()


def batch() -> Batch:
    """Return an image of each class, with pixels that take a gradient."""
    images_BCHW = torch.ones(2, 3, 1, 2, dtype=torch.float64) * torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)
    background_BHW = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(2, 1, 2)
    has_mask_B = torch.ones(2, dtype=torch.bool)
    return Batch(images_BCHW.requires_grad_(), torch.tensor([0, 1]), background_BHW, has_mask_B, ("0", "1"))


def terms(config: ObjectiveConfig, a: float, b: float) -> dict[str, list[float]]:
    model, images = network(a, b), batch()
    found = build_objective(config)(model(images.images_BCHW), model.head, images)
    return {name: term_B.tolist() for name, term_B in found.items()}


def after_training(config: ObjectiveConfig, a: float, b: float, *, steps: int = 400) -> tuple[float, float]:
    """Return the weights (a, b) of class 1 after gradient descent; by symmetry those of class 0 are their negatives."""
    model, images, objective = network(a, b), batch(), build_objective(config)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        reduce_terms(objective(model(images.images_BCHW), model.head, images)).backward()
        optimizer.step()
    torch.testing.assert_close(model.head.weight[0], -model.head.weight[1])
    a, b = model.head.weight[1].tolist()
    return a, b
