"""FGSM and PGD on pixels in [0, 1].

Not by adversarial-robustness-toolbox, whose results these equal (a test compares them): it carries every image
through all steps, leaves a gradient in the weights, draws from NumPy's global generator, and its import closes the
handlers of Python's logging.

B batch, A those of it that still climb, C channels, H W image, K classes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.evaluations.adversarial.ball import Ball
from trainables.evaluations.plain_logits import frozen
from trainables.models import Classifier

LogitsOf = Callable[[Tensor], Tensor]
"""From images to logits, differentiable in the images."""

STEPS_TO_RADIUS = 4
"""A step of PGD is eps/4, which is the usual 2/255 at 8/255."""


@dataclass(frozen=True, eq=False)
class Attacked:
    """Images after an attack."""

    images_BCHW: Tensor
    fooled_B: Tensor
    """Where the network is wrong: on the image as it was, or on the attacked one."""


@contextmanager
def attackable(model: Classifier) -> Iterator[LogitsOf]:
    """Hand out a frozen network's logits in float32; there is no autocast until the end."""

    def logits_of(images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = model(images_BCHW).logits
        return logits_BK.float()

    with frozen(model), torch.autocast(model.mean.device.type, enabled=False):
        yield logits_of


def fgsm(logits_of: LogitsOf, images_BCHW: Tensor, labels_B: Tensor, ball: Ball) -> Attacked:
    """Take one step of eps up the cross-entropy (Goodfellow et al. 2015); an image that is wrong already stays."""
    return climb(logits_of, images_BCHW, images_BCHW, labels_B, ball, step=ball.eps, steps=1)


def pgd(
    logits_of: LogitsOf,
    images_BCHW: Tensor,
    labels_B: Tensor,
    ball: Ball,
    *,
    steps: int,
    restarts: int,
    generator: torch.Generator,
) -> Attacked:
    """Climb the cross-entropy by `steps` projected steps of eps/4 from random starts (Madry et al. 2018).

    An image counts as fooled when it is wrong as it is, or at any point of any climb, which then ends for it: a new
    start can only fool more. At eps 0 the images come back as they are.
    """
    points_BCHW = images_BCHW.clone()
    fooled_B = wrong(logits_of, images_BCHW, labels_B)
    for _ in range(restarts if ball.eps else 0):
        standing = (~fooled_B).nonzero().squeeze(1)
        if not len(standing):
            break
        centres_BCHW, own_B = images_BCHW[standing], labels_B[standing]
        start_BCHW = ball.random(centres_BCHW, generator)
        step = ball.eps / STEPS_TO_RADIUS
        climbed = climb(logits_of, start_BCHW, centres_BCHW, own_B, ball, step=step, steps=steps)
        points_BCHW[standing], fooled_B[standing] = climbed.images_BCHW, climbed.fooled_B
    return Attacked(points_BCHW, fooled_B)


def climb(
    logits_of: LogitsOf,
    start_BCHW: Tensor,
    images_BCHW: Tensor,
    labels_B: Tensor,
    ball: Ball,
    *,
    step: float,
    steps: int,
    stop: bool = True,
) -> Attacked:
    """Take `steps` steepest steps up the cross-entropy from `start`, each projected into the ball around the image.

    With `stop` an image rests where it is first misclassified; without, only the last point counts.
    """
    points_BCHW = start_BCHW.clone()
    fooled_B = torch.zeros_like(labels_B, dtype=torch.bool)
    for _ in range(steps):
        active = (~fooled_B).nonzero().squeeze(1)
        if not len(active):
            break
        logits_BK, gradient_BCHW = slope(logits_of, points_BCHW[active], labels_B[active])
        if stop:
            right_A = logits_BK.argmax(1) == labels_B[active]
            fooled_B[active] = ~right_A
            active, gradient_BCHW = active[right_A], gradient_BCHW[right_A]
        moved_BCHW = points_BCHW[active] + step * ball.ascent(gradient_BCHW)
        points_BCHW[active] = ball.project(moved_BCHW, images_BCHW[active])
    last = (~fooled_B).nonzero().squeeze(1)
    if len(last):
        fooled_B[last] = wrong(logits_of, points_BCHW[last], labels_B[last])
    return Attacked(points_BCHW, fooled_B)


def wrong(logits_of: LogitsOf, images_BCHW: Tensor, labels_B: Tensor) -> Tensor:
    """Return where the highest logit is not the label's."""
    with torch.no_grad():
        return logits_of(images_BCHW).argmax(1) != labels_B


def slope(logits_of: LogitsOf, images_BCHW: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits and the gradient of each image's cross-entropy in its pixels."""
    leaf_BCHW = images_BCHW.detach().requires_grad_()
    with torch.enable_grad():
        logits_BK = logits_of(leaf_BCHW)
        loss = cross_entropy(logits_BK, labels_B, reduction="sum")
    (gradient_BCHW,) = torch.autograd.grad(loss, leaf_BCHW)
    return logits_BK.detach(), gradient_BCHW
