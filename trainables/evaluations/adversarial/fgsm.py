"""Accuracy after one step of the gradient's sign."""

from trainables.evaluations.adversarial.attacks import attackable, fgsm
from trainables.evaluations.adversarial.ball import Ball
from trainables.evaluations.adversarial.robustness import attack_all, clean_accuracy, share, stage_tick
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.result import EvaluationResult, by_image


def _run(context: EvaluationContext) -> EvaluationResult:
    batch, ball = context.sampled, Ball("linf", context.settings.adversarial.linf)
    with attackable(context.model) as logits_of:
        attacked = attack_all(
            context,
            batch.images_BCHW,
            batch.labels_B,
            lambda images_BCHW, labels_B: fgsm(logits_of, images_BCHW, labels_B, ball),
            tick=stage_tick(context, 0, 1, len(batch)),
        )
    return EvaluationResult(
        {f"adversarial/fgsm/{ball.name}": share(~attacked.fooled_B)},
        settings={
            "num_pictures": len(batch),
            "seed": context.settings.seed,
            "linf": ball.eps,
            "clean_accuracy": clean_accuracy(context, batch),
        },
        samples={f"adversarial/fgsm/{ball.name}": by_image(batch.ids, ~attacked.fooled_B)},
    )


FGSM = EvalSpec(name="fgsm", category="adversarial", directions={"adversarial/fgsm/linf_*": "max"}, run=_run)
