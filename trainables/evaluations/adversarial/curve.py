"""Accuracy under PGD by the radius of its ball.

N samples, S those that still stand.
"""

import torch
from torch import Tensor

from trainables.evaluations.adversarial.attacks import STEPS_TO_RADIUS, attackable
from trainables.evaluations.adversarial.ball import Ball, Norm
from trainables.evaluations.adversarial.robustness import attack_by_pgd, share, stage_tick
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.result import Curve, EvaluationResult, by_image

NORMS: dict[Norm, str] = {"linf": "Linf", "l2": "L2"}


def _balls(context: EvaluationContext) -> list[Ball]:
    """Return the balls of both curves in order; each begins at 0, the accuracy without an attack."""
    settings = context.settings.adversarial
    radii = {"linf": settings.linf_curve, "l2": settings.l2_curve}
    return [Ball(norm, eps) for norm in NORMS for eps in sorted({0.0, *radii[norm]})]


def _run(context: EvaluationContext) -> EvaluationResult:
    batch, balls = context.sampled, _balls(context)
    standing: dict[Ball, Tensor] = {}
    with attackable(context.model) as logits_of:
        for stage, ball in enumerate(balls):
            # A curve starts at eps 0; each later ball contains the one before, and so its adversarial images.
            standing_N = standing[balls[stage - 1]].clone() if ball.eps else torch.ones(len(batch), dtype=torch.bool)
            images_SCHW, labels_S = batch.images_BCHW[standing_N], batch.labels_B[standing_N]
            tick = stage_tick(context, stage, len(balls), len(batch))
            attacked = attack_by_pgd(context, logits_of, images_SCHW, labels_S, ball, tick=tick)
            standing_N[standing_N.clone()] = ~attacked.fooled_B
            standing[ball] = standing_N
    accuracy = {ball: share(standing_N) for ball, standing_N in standing.items()}
    return EvaluationResult(
        {f"adversarial/pgd/{ball.name}": value for ball, value in accuracy.items()},
        curves=tuple(_curve(norm, accuracy) for norm in NORMS),
        settings=_settings(context, len(batch)),
        samples={f"adversarial/pgd/{ball.name}": by_image(batch.ids, chosen_N) for ball, chosen_N in standing.items()},
    )


def _curve(norm: Norm, accuracy: dict[Ball, float]) -> Curve:
    points = {ball.eps: value for ball, value in accuracy.items() if ball.norm == norm}
    return Curve(
        chart=f"accuracy under attack ({NORMS[norm]})",
        name="PGD",
        x_label="eps",
        y_label="accuracy",
        x=tuple(points),
        y=tuple(points.values()),
    )


def _settings(context: EvaluationContext, num_pictures: int) -> dict[str, object]:
    settings = context.settings.adversarial
    return {
        "num_pictures": num_pictures,
        "seed": context.settings.seed,
        "steps": settings.steps,
        "step": f"eps/{STEPS_TO_RADIUS}",
        "restarts": settings.restarts,
        "counts_as_fooled": "wrong without an attack, or at any step of any restart, at this eps or a smaller one",
    }


PGD = EvalSpec(
    name="pgd",
    category="adversarial",
    directions={"adversarial/pgd/linf_*": "max", "adversarial/pgd/l2_*": "max"},
    run=_run,
)
