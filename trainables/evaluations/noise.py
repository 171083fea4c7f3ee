"""Whether noise on the object or noise on the background hurts more: relative foreground sensitivity.

Source: Moayeri et al. 2022, "A Comprehensive Study of Image Classification Model Sensitivity to Foregrounds,
Backgrounds, and Visual Attributes", and its protocol in "Hard ImageNet" (2022).
N samples, B batch, C channels, H W image.
"""

import torch
from torch import Tensor

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.masked_sample import MaskedSample, hits, masked_sample
from trainables.evaluations.result import EvaluationResult


def relative_foreground_sensitivity(noise_on_foreground: float, noise_on_background: float) -> float:
    """Return `RFS = (a_bg - a_fg) / (2 * min(a, 1 - a))` with `a = (a_fg + a_bg) / 2`; 0 where a is 0 or 1.

    It is 1 where noise on the object alone does harm, and -1 where noise on the background alone does.

    Args:
        noise_on_foreground: Accuracy a_fg with noise on the object.
        noise_on_background: Accuracy a_bg with noise on the background.
    """
    # 2 min(a, 1 - a), written so that the quotient never leaves [-1, 1] by rounding.
    most = min(noise_on_foreground + noise_on_background, (1 - noise_on_foreground) + (1 - noise_on_background))
    return (noise_on_background - noise_on_foreground) / most if most else 0.0


def add_noise(images_BCHW: Tensor, noise_BCHW: Tensor, where_BHW: Tensor) -> Tensor:
    """Return `clamp(images + noise * where, 0, 1)`."""
    return (images_BCHW + noise_BCHW * where_BHW.unsqueeze(1)).clamp(0, 1)


def class_mean(values_N: Tensor, labels_N: Tensor) -> float:
    """Return the mean over the classes that occur of the class's own mean, in float64."""
    labels = set(labels_N.tolist())
    return sum(values_N[labels_N == label].double().mean().item() for label in sorted(labels)) / len(labels)


def _run(context: EvaluationContext) -> EvaluationResult:
    sample = masked_sample(context)
    settings = context.settings.background
    share_2NHW = torch.stack([sample.object_NHW, 1 - sample.object_NHW])
    hits_2N = torch.zeros(2, len(sample), dtype=torch.float64)
    for trial in range(settings.noise_trials):
        for place in range(2):
            hits_2N[place] += _hits(context, sample, share_2NHW[place], trial)
            context.tick(2 * trial + place + 1, 2 * settings.noise_trials)
    on_object, on_background = (class_mean(row / settings.noise_trials, sample.labels_N) for row in hits_2N)
    return EvaluationResult(
        {
            "background/rfs": relative_foreground_sensitivity(on_object, on_background),
            "background/noise_on_foreground": on_object,
            "background/noise_on_background": on_background,
        },
        settings={**sample.settings, "noise_sigma": settings.noise_sigma, "noise_trials": settings.noise_trials},
    )


def _hits(context: EvaluationContext, sample: MaskedSample, share_NHW: Tensor, trial: int) -> Tensor:
    """Object and background of a trial get the same noise, which does not depend on the size of a batch."""
    generator = context.generator(f"noise {trial}")
    sigma = context.settings.background.noise_sigma

    def change(indices_B: Tensor) -> Tensor:
        images_BCHW = sample.images_NCHW[indices_B]
        noise_BCHW = torch.stack([torch.randn(image.shape, generator=generator) for image in images_BCHW])
        return add_noise(images_BCHW, sigma * noise_BCHW, share_NHW[indices_B])

    return hits(context, sample, change, sample.indices)


NOISE = EvalSpec(
    name="noise",
    category="background",
    directions={
        "background/rfs": "max",
        "background/noise_on_foreground": None,
        "background/noise_on_background": "max",
    },
    run=_run,
    needs=frozenset({"masks"}),
    definition=2,  # 1 had masks that were not aligned with their images.
)
