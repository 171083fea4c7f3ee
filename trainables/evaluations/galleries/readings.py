"""A network's prediction on each sampled image, and where its influence lies.

N samples, B batch, K classes, H W map.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from trainables.cams import contrastive_cams, hirescam, influence, reduce_background
from trainables.data import Batch
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.result import NotPossibleError
from trainables.evaluations.rivals import check_rival, strongest_rivals


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """By image, on the CPU."""

    predicted_N: Tensor
    """The class of the highest logit."""
    confidence_N: Tensor
    """The softmax probability of that class, float64."""
    rival_N: Tensor
    """The class with the highest logit other than the label's."""
    contrast_NHW: Tensor
    """The ContrastiveCAM `CC_(c,r)` of the label's class c against that rival r."""
    influence_NHW: Tensor
    """The influence `sum_k |CC_(c,k)|` of each cell."""
    background_share_N: Tensor
    """The background's share of the influence; nan without a mask or without influence."""


def read_sample(context: EvaluationContext) -> Readings:
    """Return the readings of the sampled images.

    Raises:
        NotPossibleError: The network has one class, which has no rival, or a logit that is no finite number.
    """
    check_rival(context.model)
    batch = context.sampled
    chunks = []
    with torch.inference_mode():
        for start in range(0, len(batch), context.batch_size):
            chunks.append(_read(context, batch, slice(start, start + context.batch_size)))
            context.tick(min(start + context.batch_size, len(batch)), len(batch))
    return Readings(
        **{field.name: torch.cat([getattr(chunk, field.name) for chunk in chunks]) for field in fields(Readings)}
    )


def _read(context: EvaluationContext, batch: Batch, chunk: slice) -> Readings:
    output = context.model(batch.images_BCHW[chunk].to(context.device))
    logits_BK, labels_B = output.logits.float(), batch.labels_B[chunk].to(context.device)
    if not logits_BK.isfinite().all():
        raise NotPossibleError("the network's logits are not finite")
    contrastive_BKHW = contrastive_cams(hirescam(output.features.float(), context.model.head.weight), labels_B)
    rival_B = strongest_rivals(logits_BK, labels_B)
    background_BHW = reduce_background(batch.background_BHW[chunk].to(context.device), contrastive_BKHW.shape[-2:])
    foreground_B, background_B = influence(contrastive_BKHW, background_BHW)
    has_mask_B = batch.has_mask_B[chunk].to(context.device)
    confidence_B, predicted_B = logits_BK.double().softmax(1).max(1)
    return Readings(
        predicted_N=predicted_B.cpu(),
        confidence_N=confidence_B.cpu(),
        rival_N=rival_B.cpu(),
        contrast_NHW=torch.take_along_dim(contrastive_BKHW, rival_B.view(-1, 1, 1, 1), dim=1).squeeze(1).cpu(),
        influence_NHW=contrastive_BKHW.abs().sum(1).cpu(),
        background_share_N=torch.where(has_mask_B, background_B / (foreground_B + background_B), torch.nan).cpu(),
    )
