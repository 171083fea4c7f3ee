"""Whether the network masks its gradients, so that attacks by gradients overestimate its robustness.

The symptoms are those of Athalye et al. 2018 (section 3.1) and Carlini et al. 2019 (section 5).

N samples, S those that PGD leaves standing, B batch, C channels, H W image.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from trainables.data import Batch
from trainables.evaluations.adversarial.attacks import Attacked, LogitsOf, attackable, fgsm, slope, wrong
from trainables.evaluations.adversarial.ball import Ball
from trainables.evaluations.adversarial.robustness import Attack, attack_all, attack_by_pgd, costly_sample, stage_tick
from trainables.evaluations.adversarial.standard_four import one_of_four
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.result import EvaluationResult

NOISE_DRAWS = 10
EVERYTHING = Ball("linf", 1.0)
"""Holds every image there is, so that PGD must find one of another class."""

_SENTENCES = {
    "square_beats_pgd": "Square, which sees no gradient, fools {count} of {total} images that PGD does not",
    "fgsm_beats_pgd": "one step fools {count} of {total} images that many do not",
    "noise_beats_pgd": "random noise fools {count} of {total} images that PGD does not",
    "zero_gradient": "the gradient is exactly 0 on {count} of {total} images that PGD does not fool",
    "accuracy_at_eps_1": "at eps = 1, where all images are allowed, {count} of {total} still stand",
}


def beyond_noise(count: int, total: int) -> bool:
    """Return whether the share `p = count / total` is more than two standard errors `sqrt(p (1 - p) / total)`."""
    share = count / total
    return share > 2 * math.sqrt(share * (1 - share) / total)


def reasons(counts: Mapping[str, int], total: int) -> list[str]:
    """Return the symptoms as sentences; PGD's defeats count beyond noise, images standing at eps 1 at once."""
    return [
        sentence.format(count=counts[name], total=total)
        for name, sentence in _SENTENCES.items()
        if (counts[name] > 0 if name == "accuracy_at_eps_1" else beyond_noise(counts[name], total))
    ]


def _run(context: EvaluationContext) -> EvaluationResult:
    settings, batch = context.settings.adversarial, costly_sample(context)
    ball, total = Ball("linf", settings.linf), len(batch)
    with attackable(context.model) as logits_of:
        counts = _counts(context, logits_of, batch, ball)
    why = reasons(counts, total)
    return EvaluationResult(
        {
            "adversarial/masking/suspected": float(bool(why)),
            **{f"adversarial/masking/{name}": count / total for name, count in counts.items()},
        },
        settings={
            "num_pictures": total,
            "seed": context.settings.seed,
            "linf": ball.eps,
            "square_queries": settings.square_queries,
            "noise_draws": NOISE_DRAWS,
            "reasons": why,
        },
    )


def _counts(context: EvaluationContext, logits_of: LogitsOf, batch: Batch, ball: Ball) -> dict[str, int]:
    """Count the images with each symptom."""
    generator = context.generator(f"adversarial/noise/{ball.name}")
    rivals: dict[str, Attack] = {
        "square_beats_pgd": one_of_four("square", context, logits_of, ball),
        "fgsm_beats_pgd": lambda images_BCHW, labels_B: fgsm(logits_of, images_BCHW, labels_B, ball),
        "noise_beats_pgd": lambda images_BCHW, labels_B: _noise(logits_of, images_BCHW, labels_B, ball, generator),
        "zero_gradient": lambda images_BCHW, labels_B: _flat(logits_of, images_BCHW, labels_B),
    }
    ticks = [stage_tick(context, stage, 2 + len(rivals), len(batch)) for stage in range(2 + len(rivals))]
    images = batch.images_BCHW, batch.labels_B
    standing_N = ~attack_by_pgd(context, logits_of, *images, ball, tick=ticks[0]).fooled_B
    images_SCHW, labels_S = batch.images_BCHW[standing_N], batch.labels_B[standing_N]
    counts = {
        name: int(attack_all(context, images_SCHW, labels_S, rival, tick=tick).fooled_B.sum())
        for (name, rival), tick in zip(rivals.items(), ticks[1:], strict=False)
    }
    left_N = ~attack_by_pgd(context, logits_of, *images, EVERYTHING, tick=ticks[-1]).fooled_B
    return {**counts, "accuracy_at_eps_1": int(left_N.sum())}


def _noise(
    logits_of: LogitsOf, images_BCHW: Tensor, labels_B: Tensor, ball: Ball, generator: torch.Generator
) -> Attacked:
    fooled_B = torch.zeros_like(labels_B, dtype=torch.bool)
    for _ in range(NOISE_DRAWS):
        fooled_B |= wrong(logits_of, ball.random(images_BCHW, generator), labels_B)
    return Attacked(images_BCHW, fooled_B)


def _flat(logits_of: LogitsOf, images_BCHW: Tensor, labels_B: Tensor) -> Attacked:
    """Mark the images whose gradient is 0."""
    _, gradient_BCHW = slope(logits_of, images_BCHW, labels_B)
    return Attacked(images_BCHW, gradient_BCHW.flatten(1).eq(0).all(1))


MASKING = EvalSpec(
    name="masking",
    category="adversarial",
    directions={
        "adversarial/masking/suspected": "min",
        **{f"adversarial/masking/{name}": "min" for name in _SENTENCES},
    },
    run=_run,
)
