"""Accuracy after one step of the gradient's sign."""

from trainables.evaluations.adversarial.attacks import attackable, fgsm
from trainables.evaluations.adversarial.ball import Ball
from trainables.evaluations.adversarial.robustness import attack_all, clean_accuracy, share, stage_tick
from trainables.evaluations.base import EvalSpec, Subject
from trainables.evaluations.finding import Finding, by_picture


def _run(subject: Subject) -> Finding:
    batch, ball = subject.sampled, Ball("linf", subject.settings.adversarial.linf)
    with attackable(subject.model) as logits_of:
        found = attack_all(
            subject,
            batch.images_BCHW,
            batch.labels_B,
            lambda images_BCHW, labels_B: fgsm(logits_of, images_BCHW, labels_B, ball),
            tick=stage_tick(subject, 0, 1, len(batch)),
        )
    return Finding(
        {f"adversarial/fgsm/{ball.name}": share(~found.fooled_B)},
        settings={
            "num_pictures": len(batch),
            "seed": subject.settings.seed,
            "linf": ball.eps,
            "clean_accuracy": clean_accuracy(subject, batch),
        },
        samples={f"adversarial/fgsm/{ball.name}": by_picture(batch.ids, ~found.fooled_B)},
    )


FGSM = EvalSpec(name="fgsm", category="adversarial", directions={"adversarial/fgsm/linf_*": "max"}, run=_run)
