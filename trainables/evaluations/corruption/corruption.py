"""Accuracy on corrupted images, by kind of corruption and by severity.

Source: Hendrycks & Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations":
the corruptions of ImageNet-C that need no files, with their published parameters. Only those by Pillow quantise images.
N samples, B batch, S severities, C channels, H W image.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.corruption.blurs import defocus_blur, motion_blur, zoom_blur
from trainables.evaluations.corruption.digital import jpeg_compression, pixelate
from trainables.evaluations.corruption.lights import brightness, contrast
from trainables.evaluations.corruption.noises import gaussian_noise, impulse_noise, shot_noise
from trainables.evaluations.corruption.severity import SEVERITIES, Corruption
from trainables.evaluations.result import Curve, EvaluationResult, NotPossibleError, by_image
from trainables.metric_names import SHIFTED, of_split

NAME = "corruption"
CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "defocus_blur": defocus_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "brightness": brightness,
    "contrast": contrast,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
}
"""By the name in `shift/corruption/<name>`."""


def _run(context: EvaluationContext) -> EvaluationResult:
    if any(name.endswith(f"{SHIFTED}{NAME}") for name in context.shifted):
        raise NotPossibleError(f"a shifted set is called {NAME} too, and its metrics would have the same names")
    batch = context.sampled
    hits = {}
    for done, name in enumerate(CORRUPTIONS, start=1):
        hits[name] = torch.stack([_hits(context, name, severity) for severity in SEVERITIES])
        context.tick(done, len(CORRUPTIONS))
    clean = (context.logits(batch.images_BCHW).argmax(1) == batch.labels_B).double().mean().item()
    means_N = {name: hits_SN.mean(0) for name, hits_SN in hits.items()}
    means_N["accuracy"] = torch.stack(list(means_N.values())).mean(0)
    named = {of_split(f"{SHIFTED}{NAME}/{name}", context.split): mean_N for name, mean_N in means_N.items()}
    return EvaluationResult(
        {name: mean_N.mean().item() for name, mean_N in named.items()},
        curves=tuple(_curve(name, clean, hits_SN) for name, hits_SN in hits.items()),
        settings={"seed": context.settings.seed, "num_pictures": len(batch), "severities": list(SEVERITIES)},
        samples={name: by_image(batch.ids, mean_N) for name, mean_N in named.items()},
    )


def _hits(context: EvaluationContext, name: str, severity: int) -> Tensor:
    """Return 1 where the network predicts a corrupted image's label and 0 where not, float64 N."""
    batch = context.sampled
    hits = []
    for indices_B in context.chunks(torch.arange(len(batch))):
        images_BCHW = torch.stack([_corrupted(context, name, severity, index) for index in indices_B.tolist()])
        hits.append(context.logits(images_BCHW).argmax(1) == batch.labels_B[indices_B])
    return torch.cat(hits).double()


def _corrupted(context: EvaluationContext, name: str, severity: int, index: int) -> Tensor:
    """The random numbers are the image's own, so that they depend neither on the batches nor on the other images."""
    batch = context.sampled
    generator = context.generator(f"{NAME} {name} {severity} {batch.ids[index]}")
    return CORRUPTIONS[name](batch.images_BCHW[index], severity, generator)


def _curve(name: str, clean: float, hits_SN: Tensor) -> Curve:
    y = (clean, *hits_SN.mean(1).tolist())
    return Curve(NAME, name, "severity", "accuracy", x=(0.0, *map(float, SEVERITIES)), y=y)


CORRUPTION = EvalSpec(
    name=NAME,
    category="shift",
    directions={f"{SHIFTED}{NAME}/{name}": "max" for name in ("accuracy", *CORRUPTIONS)},
    run=_run,
    definition=2,  # 1 had means of areas instead of the box filter of `pixelate`.
)
