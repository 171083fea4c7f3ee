"""Accuracy under PGD and then AutoAttack's standard four.

N samples.
"""

from torch import Tensor

from trainables.data import Batch
from trainables.evaluations.adversarial.attacks import LogitsOf, attackable
from trainables.evaluations.adversarial.ball import Ball
from trainables.evaluations.adversarial.robustness import (
    attack_all,
    attack_by_pgd,
    clean_accuracy,
    costly_sample,
    share,
    stage_tick,
)
from trainables.evaluations.adversarial.standard_four import FOUR, STANDARD_QUERIES, left_out, one_of_four
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.result import EvaluationResult, by_image

_STAGES = ("pgd", *FOUR)


def _run(context: EvaluationContext) -> EvaluationResult:
    settings, batch = context.settings.adversarial, costly_sample(context)
    balls = [Ball("linf", settings.linf), Ball("l2", settings.l2)]
    side = min(batch.images_BCHW.shape[-2:])
    skipped = {ball: left_out(ball.norm, num_classes=context.model.num_classes, side=side) for ball in balls}
    with attackable(context.model) as logits_of:
        after = {
            ball: _standing_after(context, logits_of, batch, ball, skipped[ball], first_stage=number * len(_STAGES))
            for number, ball in enumerate(balls)
        }
    final = {f"adversarial/autoattack/{ball.name}": [*standing.values()][-1] for ball, standing in after.items()}
    return EvaluationResult(
        {name: share(standing_N) for name, standing_N in final.items()},
        settings={
            "num_pictures": len(batch),
            "seed": context.settings.seed,
            "clean_accuracy": clean_accuracy(context, batch),
            "accuracy_after": {
                ball.name: {name: share(standing_N) for name, standing_N in standing.items()}
                for ball, standing in after.items()
            },
            "left_out": {ball.name: reasons for ball, reasons in skipped.items()},
            "square_queries": settings.square_queries,
            "standard_square_queries": STANDARD_QUERIES,
        },
        samples={name: by_image(batch.ids, standing_N) for name, standing_N in final.items()},
    )


def _standing_after(
    context: EvaluationContext,
    logits_of: LogitsOf,
    batch: Batch,
    ball: Ball,
    skipped: dict[str, str],
    *,
    first_stage: int,
) -> dict[str, Tensor]:
    """Return which images stand after each attack; each attack gets only the images that stand before it.

    PGD goes first, since unlike the four it stops at an image's first mistake.
    """
    ticks = [stage_tick(context, first_stage + stage, 2 * len(_STAGES), len(batch)) for stage in range(len(_STAGES))]
    standing_N = ~attack_by_pgd(context, logits_of, batch.images_BCHW, batch.labels_B, ball, tick=ticks[0]).fooled_B
    after = {"pgd": standing_N}
    for name, tick in zip(FOUR, ticks[1:], strict=True):
        if name in skipped or not ball.eps:
            continue
        attack = one_of_four(name, context, logits_of, ball)
        attacked = attack_all(context, batch.images_BCHW[standing_N], batch.labels_B[standing_N], attack, tick=tick)
        standing_N = standing_N.masked_scatter(standing_N, ~attacked.fooled_B)
        after[name] = standing_N
    return after


AUTOATTACK = EvalSpec(
    name="autoattack",
    category="adversarial",
    directions={"adversarial/autoattack/linf_*": "max", "adversarial/autoattack/l2_*": "max"},
    run=_run,
)
