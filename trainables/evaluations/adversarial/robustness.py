"""The share of a sample that stays correctly classified under an attack, batch by batch.

N samples, B batch, C channels, H W image.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from trainables.data import Batch
from trainables.evaluations.adversarial.attacks import Attacked, LogitsOf, pgd
from trainables.evaluations.adversarial.ball import Ball
from trainables.evaluations.base import EvaluationContext

Attack = Callable[[Tensor, Tensor], Attacked]
"""From a batch's images and labels, on the network's device."""
Tick = Callable[[int], None]
"""Called with the number of images that are done."""


def stage_tick(context: EvaluationContext, stage: int, num_stages: int, num_pictures: int) -> Tick:
    """Return the tick of one of `num_stages` attacks on the same images."""
    return lambda done: context.tick(stage * num_pictures + done, num_stages * num_pictures)


def costly_sample(context: EvaluationContext) -> Batch:
    """Return the images for attacks of hundreds of steps: `adversarial.sample` of the suite's sample."""
    suite = context.settings
    return context.sample_of_split(min(suite.sample, suite.adversarial.sample))


def attack_all(
    context: EvaluationContext,
    images_NCHW: Tensor,
    labels_N: Tensor,
    attack: Attack,
    *,
    tick: Tick,
) -> Attacked:
    """Attack images, if any, a batch at a time; the result is on the CPU."""
    images, fooled = [images_NCHW[:0]], [torch.zeros(0, dtype=torch.bool)]
    done = 0
    if not len(labels_N):
        return Attacked(images[0], fooled[0])
    for images_BCHW, labels_B in zip(context.chunks(images_NCHW), context.chunks(labels_N), strict=True):
        attacked = attack(images_BCHW.to(context.device), labels_B.to(context.device))
        images.append(attacked.images_BCHW.cpu())
        fooled.append(attacked.fooled_B.cpu())
        done += len(labels_B)
        tick(done)
    return Attacked(torch.cat(images), torch.cat(fooled))


def attack_by_pgd(
    context: EvaluationContext,
    logits_of: LogitsOf,
    images_NCHW: Tensor,
    labels_N: Tensor,
    ball: Ball,
    *,
    tick: Tick,
) -> Attacked:
    """Attack by PGD with the suite's settings, from starts that depend on the suite's seed and on the ball alone."""
    settings = context.settings.adversarial
    generator = context.generator(f"adversarial/pgd/{ball.name}")

    def attack(images_BCHW: Tensor, labels_B: Tensor) -> Attacked:
        return pgd(
            logits_of,
            images_BCHW,
            labels_B,
            ball,
            steps=settings.steps,
            restarts=settings.restarts,
            generator=generator,
        )

    return attack_all(context, images_NCHW, labels_N, attack, tick=tick)


def share(chosen_N: Tensor) -> float:
    """Return the share of images that are chosen."""
    return int(chosen_N.sum()) / len(chosen_N)


def clean_accuracy(context: EvaluationContext, batch: Batch) -> float:
    """Return the accuracy on the images as they are."""
    return share(context.logits(batch.images_BCHW).argmax(1) == batch.labels_B)
