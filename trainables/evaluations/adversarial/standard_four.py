"""The four attacks of AutoAttack (Croce & Hein 2020): APGD-CE, targeted APGD, targeted FAB and Square.

By their authors' package, since adversarial-robustness-toolbox has neither FAB nor a targeted APGD.

B batch, C channels, H W image.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from trainables.evaluations.adversarial.attacks import Attacked, LogitsOf, wrong
from trainables.evaluations.adversarial.ball import Ball, Norm
from trainables.evaluations.adversarial.robustness import Attack
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.seeds import seed_of

FOUR = ("apgd-ce", "apgd-t", "fab-t", "square")
STANDARD_QUERIES = 5000
"""Square's, as its authors have it."""
_TARGETS = 9
_NORMS: dict[Norm, str] = {"linf": "Linf", "l2": "L2"}


def left_out(norm: Norm, *, num_classes: int, side: int) -> dict[str, str]:
    """Return which of the four cannot run on `num_classes` and images whose shorter side is `side`, and why."""
    reasons = {}
    if num_classes < 4:
        reasons["apgd-t"] = f"its loss compares 4 classes, and there are {num_classes}"
    if num_classes < 2:
        reasons["fab-t"] = "it aims at another class, and there is none"
    if norm == "l2" and side < 5:
        reasons["square"] = f"its start in L2 needs images of 5 pixels, and these have {side}"
    return reasons


def one_of_four(name: str, context: EvaluationContext, logits_of: LogitsOf, ball: Ball) -> Attack:
    """Return an attack with its authors' standard settings, but for Square's queries, which the suite sets.

    An image that is wrong already stays as it is. The random numbers depend on the suite's seed, the ball and the
    batch alone, and the global generators are left as they were.
    """
    with _kept_to_itself():
        perturb = _library(name, context, logits_of, ball).perturb

    def attack(images_BCHW: Tensor, labels_B: Tensor) -> Attacked:
        with _kept_to_itself():
            points_BCHW = perturb(images_BCHW, labels_B).detach()
        return Attacked(points_BCHW, wrong(logits_of, points_BCHW, labels_B))

    return attack


def _library(name: str, context: EvaluationContext, logits_of: LogitsOf, ball: Ball) -> Any:
    from pyautoattack import AutoAttack

    four = AutoAttack(
        logits_of,
        norm=_NORMS[ball.norm],
        eps=ball.eps,
        seed=seed_of(context.settings.seed, f"adversarial/{name}/{ball.name}"),
        device=context.device,
        version="standard",
    )
    four.apgd_targeted.n_target_classes = four.fab.n_target_classes = min(_TARGETS, context.model.num_classes - 1)
    four.fab.targeted = True
    four.square.n_queries = context.settings.adversarial.square_queries
    return {"apgd-ce": four.apgd, "apgd-t": four.apgd_targeted, "fab-t": four.fab, "square": four.square}[name]


@contextmanager
def _kept_to_itself() -> Iterator[None]:
    """Undo the library's seeding of the global generators, and silence its logging."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    logger = logging.getLogger("auto-attack")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        logger.setLevel(level)
