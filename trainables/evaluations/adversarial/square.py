"""Accuracy under Square, which uses logits only, so that masked gradients do not mislead it."""

from trainables.evaluations.adversarial.attacks import attackable
from trainables.evaluations.adversarial.ball import Ball
from trainables.evaluations.adversarial.robustness import (
    attack_all,
    clean_accuracy,
    costly_sample,
    share,
    stage_tick,
)
from trainables.evaluations.adversarial.standard_four import STANDARD_QUERIES, one_of_four
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.result import EvaluationResult, by_image


def _run(context: EvaluationContext) -> EvaluationResult:
    settings, batch = context.settings.adversarial, costly_sample(context)
    ball = Ball("linf", settings.linf)
    with attackable(context.model) as logits_of:
        attacked = attack_all(
            context,
            batch.images_BCHW,
            batch.labels_B,
            one_of_four("square", context, logits_of, ball),
            tick=stage_tick(context, 0, 1, len(batch)),
        )
    return EvaluationResult(
        {f"adversarial/square/{ball.name}": share(~attacked.fooled_B)},
        settings={
            "num_pictures": len(batch),
            "seed": context.settings.seed,
            "linf": ball.eps,
            "square_queries": settings.square_queries,
            "standard_square_queries": STANDARD_QUERIES,
            "clean_accuracy": clean_accuracy(context, batch),
        },
        samples={f"adversarial/square/{ball.name}": by_image(batch.ids, ~attacked.fooled_B)},
    )


SQUARE = EvalSpec(name="square", category="adversarial", directions={"adversarial/square/linf_*": "max"}, run=_run)
