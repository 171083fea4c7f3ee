"""The sampled images as pooled features: all that contributions need, without the maps of any pair of classes.

N images, B batch, K classes, F channels, H W map.
"""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from trainables.cams import reduce_background
from trainables.data import Batch
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.channels.contributions import contributions, pool, strongest
from trainables.evaluations.result import NotPossibleError
from trainables.evaluations.rivals import check_rival, margins, strongest_rivals
from trainables.models import Classifier

NUM_STRONGEST = 10
"""Channels that are listed for an image or a pair of classes, and removed together to verify the prediction."""


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """By image, on the CPU; in float64 but for what are numbers of classes and cells."""

    rivals_N: Tensor
    """The class r with the highest logit other than that of the label c."""
    margin_N: Tensor
    """`s_c - s_r`, as the network computes it."""
    features_NF: Tensor
    """`mean_ij A`."""
    background_NF: Tensor
    """The same with each cell's share of background; nan without a mask."""
    background_area_N: Tensor
    """The background's share of the cells; nan without a mask."""
    cell_NF: Tensor
    """The cell, counted row by row, that adds most to a contribution: of the highest feature, or the lowest if their
    mean is negative."""
    ablation_error_N: Tensor
    """How far removals of channels move the margin otherwise than predicted: the largest gap."""
    map_size: tuple[int, int]


def pool_sample(context: EvaluationContext) -> Pooled:
    """Return the pooled features of the sampled images, and verify on them what removing channels does.

    Raises:
        NotPossibleError: The network has one class, which has no rival, or a logit that is no finite number.
    """
    check_rival(context.model)
    batch, generator, chunks = context.sampled, context.generator("channels to remove"), list[Pooled]()
    with torch.inference_mode():
        for indices_B in context.chunks(torch.arange(len(batch))):
            chunks.append(_pool_batch(context.model, batch.rows(indices_B).to(context.device), generator))
            context.tick(int(indices_B[-1]) + 1, len(batch))
    names = [field.name for field in fields(Pooled) if field.name != "map_size"]
    joined: dict[str, Any] = {name: torch.cat([getattr(chunk, name) for chunk in chunks]).cpu() for name in names}
    return Pooled(**joined, map_size=chunks[0].map_size)


def _pool_batch(model: Classifier, batch: Batch, generator: torch.Generator) -> Pooled:
    output = model(batch.images_BCHW)
    if not output.logits.isfinite().all():
        raise NotPossibleError("the network's logits are not finite")
    height, width = output.features.shape[2:]
    background_BHW = reduce_background(batch.background_BHW, (height, width))
    features_BF, background_BF = pool(output.features, background_BHW)
    rivals_B = strongest_rivals(output.logits, batch.labels_B)
    contributions_BF = contributions(features_BF, model.head.weight.double(), batch.labels_B, rivals_B)
    removals = (_strongest(contributions_BF), _random_half(contributions_BF, generator))
    return Pooled(
        rivals_N=rivals_B,
        margin_N=margins(output.logits, batch.labels_B, rivals_B),
        features_NF=features_BF,
        background_NF=torch.where(batch.has_mask_B.unsqueeze(1), background_BF, torch.nan),
        background_area_N=torch.where(batch.has_mask_B, background_BHW.double().mean((1, 2)), torch.nan),
        cell_NF=(output.features.flatten(2) * features_BF.sign().to(output.features).unsqueeze(2)).argmax(2),
        ablation_error_N=torch.stack(
            [
                ablation_error(model, output.features, contributions_BF, removed_BF, batch.labels_B, rivals_B)
                for removed_BF in removals
            ]
        ).amax(0),
        map_size=(height, width),
    )


def ablation_error(
    model: Classifier,
    features_BFHW: Tensor,
    contributions_BF: Tensor,
    removed_BF: Tensor,
    classes_B: Tensor,
    rivals_B: Tensor,
) -> Tensor:
    """Return the gap, B, between the margin by the head without some channels, and `sum_f D_f` of the others.

    Both are without the bias, which is no channel's.

    Args:
        removed_BF: Whether a channel is set to 0.
    """
    kept_BF = ~removed_BF
    logits_BK = model.classify(features_BFHW * kept_BF[:, :, None, None])
    bias_K = 0 if model.head.bias is None else model.head.bias.double()
    measured_B = margins(logits_BK.double() - bias_K, classes_B, rivals_B)
    return (measured_B - (contributions_BF * kept_BF).sum(1)).abs()


def _strongest(contributions_BF: Tensor) -> Tensor:
    return torch.zeros_like(contributions_BF, dtype=torch.bool).scatter(
        1, strongest(contributions_BF, NUM_STRONGEST), value=True
    )


def _random_half(contributions_BF: Tensor, generator: torch.Generator) -> Tensor:
    return (torch.rand(contributions_BF.shape, generator=generator) < 0.5).to(contributions_BF.device)
