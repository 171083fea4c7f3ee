"""Objects without their background, backgrounds without their object, and objects on other images' backgrounds.

Source: Xiao et al. 2021, "Noise or Signal: The Role of Image Backgrounds in Object Recognition"; removed pixels are
black, and a background is the other image with its object tiled over (Only-BG-T). The other images are of the whole
validation set, and each image gets a new one in each draw.
N samples, B batch, D draws, K kinds of backgrounds, C channels, H W image.
"""

from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from trainables.data.backgrounds import blend
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.lenders import Kind, Lenders
from trainables.evaluations.masked_sample import Change, MaskedSample, accuracies, masked_sample
from trainables.evaluations.result import EvaluationResult, Metrics, by_image

BLACK = 0.0
KINDS: tuple[Kind, ...] = get_args(Kind)
DRAWS = 3
"""Draws of the backgrounds: over them means and standard deviations are taken."""


def _run(context: EvaluationContext) -> EvaluationResult:
    sample, lenders = masked_sample(context), Lenders.of(context)
    num_steps = 2 + len(KINDS) * DRAWS
    result = accuracies(
        replace(context, tick=lambda done, _: context.tick(done, num_steps)),
        sample,
        {
            "background/only_fg": (_blackened(sample, 1 - sample.object_NHW), sample.indices),
            "background/no_fg": (_blackened(sample, sample.object_NHW), sample.indices),
        },
    )
    hits_KDN = torch.full((len(KINDS), DRAWS, len(sample)), torch.nan, dtype=torch.float64)
    for step, (draw, kind) in enumerate((draw, kind) for draw in range(DRAWS) for kind in range(len(KINDS))):
        hits_KDN[kind, draw] = _mixed_hits(context, sample, lenders, KINDS[kind], draw)
        context.tick(3 + step, num_steps)
    # The mixed metrics are of the same images, so that the gap is not between two samples.
    hits_KDN[:, :, hits_KDN.isnan().any(0).any(0)] = torch.nan
    num_mixed = int((~hits_KDN[0, 0].isnan()).sum())
    return replace(
        result,
        metrics=result.metrics | mixed_metrics(hits_KDN),
        samples={**result.samples, **_by_image(sample, hits_KDN)},
        settings={
            **result.settings,
            "draws": DRAWS,
            "num_lenders": sum(map(len, lenders.by_class.values())),
            "num_mixed": num_mixed,
            "num_without_partner": len(sample) - num_mixed,
            "num_not_tiled": len(lenders.not_tiled),
        },
    )


def mixed_metrics(hits_KDN: Tensor) -> Metrics:
    """Return means and sample standard deviations over the draws; nan where no image has all its backgrounds.

    Args:
        hits_KDN: 1 where an image is predicted right and 0 where not, float64; nan where it lacks a background.
    """
    accuracy_KD = hits_KDN.nanmean(2)
    values = {f"background/mixed_{kind}": accuracy_D for kind, accuracy_D in zip(KINDS, accuracy_KD, strict=True)}
    values["background/gap"] = values["background/mixed_same"] - values["background/mixed_rand"]
    return {name: value_D.mean().item() for name, value_D in values.items()} | {
        f"{name}_std": value_D.std().item() for name, value_D in values.items()
    }


def _by_image(sample: MaskedSample, hits_KDN: Tensor) -> dict[str, dict[str, float]]:
    """Return by metric each image's mean over the draws."""
    named = zip(KINDS, hits_KDN.mean(1), strict=True)
    return {f"background/mixed_{kind}": by_image(sample.ids, hits_N) for kind, hits_N in named}


def _mixed_hits(context: EvaluationContext, sample: MaskedSample, lenders: Lenders, kind: Kind, draw: int) -> Tensor:
    """Return 1 where the network predicts an object's label on the drawn background, 0 where not, nan without any."""
    hits_N = torch.full((len(sample),), torch.nan, dtype=torch.float64)
    for indices_B in context.chunks(sample.indices):
        backgrounds: dict[int, Tensor] = {}
        for index in indices_B.tolist():
            # Its own for each image, so that no draw depends on the batches, or on what other images could lend.
            generator = context.generator(f"swaps {draw} {kind} {sample.ids[index]}")
            found_CHW = lenders.background(kind, sample.ids[index], int(sample.labels_N[index]), generator)
            if found_CHW is not None:
                backgrounds[index] = found_CHW
        if backgrounds:
            lent_B = torch.tensor(list(backgrounds))
            others_BCHW = torch.stack(list(backgrounds.values()))
            mixed_BCHW = blend(others_BCHW, sample.images_NCHW[lent_B], sample.object_NHW[lent_B])
            hits_N[lent_B] = (context.logits(mixed_BCHW).argmax(1) == sample.labels_N[lent_B]).double()
    return hits_N


def _blackened(sample: MaskedSample, share_NHW: Tensor) -> Change:
    return lambda indices_B: blend(sample.images_NCHW[indices_B], BLACK, share_NHW[indices_B])


SWAPS = EvalSpec(
    name="swaps",
    category="background",
    directions={
        "background/only_fg": "max",
        "background/no_fg": "min",
        "background/mixed_same": "max",
        "background/mixed_rand": "max",
        "background/mixed_next": "max",
        "background/mixed_*_std": None,
        "background/gap": "min",
        "background/gap_std": None,
    },
    run=_run,
    needs=frozenset({"masks"}),
    definition=2,  # 1 drew once, from the sample alone, and had masks that were not aligned.
)
