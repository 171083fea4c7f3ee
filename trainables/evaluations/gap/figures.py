"""What a network makes of one set of images, and the figures of each image.

The margin of the label over its rival is a sum of what object, background and bias add.
N images, B batch, C channels, F features, K classes, H W image or map.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainables.cams import reduce_background
from trainables.data import Batch
from trainables.data.backgrounds import blend
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.channels.contributions import contributions, pool
from trainables.evaluations.gap.batch_statistics import batch_norms, logits_by_batch
from trainables.evaluations.gap.geometry import collapse, effective_rank, singular_values
from trainables.evaluations.gap.refit import LabelledFeatures
from trainables.evaluations.result import NotPossibleError
from trainables.evaluations.rivals import strongest_rivals
from trainables.evaluations.swaps import BLACK


@dataclass(frozen=True, eq=False)
class Observed:
    """Images, and what the network makes of them, on the CPU in float64."""

    batch: Batch
    logits_NK: Tensor
    pooled_NF: Tensor
    """`mean_ij A`."""
    background_NF: Tensor
    """`mean_ij (1-h) A`, the background's part of it; 0 for an image without a mask."""

    @property
    def correct_N(self) -> Tensor:  # noqa: N802
        """1 where the highest logit is the label's, else 0, float64."""
        return (self.logits_NK.argmax(1) == self.batch.labels_B).double()

    @property
    def features(self) -> LabelledFeatures:
        """The pooled features with their labels."""
        return LabelledFeatures(self.pooled_NF, self.batch.labels_B)


def observe(context: EvaluationContext, batch: Batch) -> Observed:
    """Run the network on images; raise NotPossibleError where its output is not finite."""
    parts = [_observe(context, batch.rows(rows_B)) for rows_B in context.chunks(torch.arange(len(batch)))]
    observed = Observed(batch, *(torch.cat(column) for column in zip(*parts, strict=True)))
    if not (observed.pooled_NF.isfinite().all() and observed.logits_NK.isfinite().all()):
        raise NotPossibleError("the network's features and logits are not all finite")
    return observed


@torch.no_grad()
def _observe(context: EvaluationContext, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    output = context.model(batch.images_BCHW.to(context.device))
    background_BHW = reduce_background(batch.background_BHW, output.features.shape[-2:]).to(context.device)
    pooled_BF, background_BF = pool(output.features, background_BHW)
    return output.logits.double().cpu(), pooled_BF.cpu(), background_BF.cpu()


class Margins(NamedTuple):
    """Parts of `s_c - s_r`, each float64 of shape N."""

    object_N: Tensor
    """`sum h * CC_(c,r)`."""
    background_N: Tensor
    """`sum (1-h) * CC_(c,r)`."""
    bias_N: Tensor
    """`b_c - b_r`; 0 without a bias."""

    @property
    def total_N(self) -> Tensor:  # noqa: N802
        """Their sum, the margin."""
        return self.object_N + self.background_N + self.bias_N


def margin_parts(observed: Observed, rivals_N: Tensor, weight_KF: Tensor, bias_K: Tensor | None) -> Margins:
    """Return the parts of each image's margin over its rival r.

    The ContrastiveCAM is linear in the features, `CC_(c,r) = (W_c - W_r) . A / N`. So its sum over the background is
    `(W_c - W_r) . mean_ij (1-h) A`, h being the mask on the grid of the map.
    """
    labels_N, weight_KF = observed.batch.labels_B, weight_KF.double()
    background_N = contributions(observed.background_NF, weight_KF, labels_N, rivals_N).sum(1)
    object_N = contributions(observed.pooled_NF - observed.background_NF, weight_KF, labels_N, rivals_N).sum(1)
    bias_N = torch.zeros_like(object_N) if bias_K is None else (bias_K[labels_N] - bias_K[rivals_N]).double()
    return Margins(object_N, background_N, bias_N)


@dataclass(frozen=True, eq=False)
class Figures:
    """What is known of one set of images."""

    observed: Observed
    rivals_N: Tensor
    margins: Margins
    by_image: Mapping[str, Tensor]
    """By figure, a value for each image, float64 N; nan where an image has none."""


def figures_of(context: EvaluationContext, observed: Observed) -> Figures:
    """Return the figures; those of object and background are left out where no image has a mask."""
    head, batch = context.model.head, observed.batch
    bias_K = None if head.bias is None else head.bias.detach().cpu()
    rivals_N = strongest_rivals(observed.logits_NK, batch.labels_B)
    parts = margin_parts(observed, rivals_N, head.weight.detach().cpu(), bias_K)
    by_image = {
        "accuracy": observed.correct_N,
        "margin": parts.total_N,
        "feature_norm": observed.pooled_NF.norm(dim=1),
    }
    if batch.has_mask_B.any():
        by_image["object_margin"] = parts.object_N.where(batch.has_mask_B, torch.nan)
        by_image["background_margin"] = parts.background_N.where(batch.has_mask_B, torch.nan)
        by_image["object_only_accuracy"] = _object_only(context, observed)
    if batch_norms(context.model) and len(batch) > 1:
        right_N = logits_by_batch(context, batch.images_BCHW).argmax(1) == batch.labels_B
        by_image["batch_statistics_accuracy"] = right_N.double()
    return Figures(observed, rivals_N, parts, by_image)


def _object_only(context: EvaluationContext, observed: Observed) -> Tensor:
    """Return 1 where the network classifies an object on black correctly, else 0; nan without a mask."""
    hits_N = torch.full((len(observed.batch),), torch.nan, dtype=torch.float64)
    masked = observed.batch.rows(observed.batch.has_mask_B.nonzero().squeeze(1))
    images_NCHW = blend(masked.images_BCHW, BLACK, masked.background_BHW)
    hits_N[observed.batch.has_mask_B] = (context.logits(images_NCHW).argmax(1) == masked.labels_B).double()
    return hits_N


@dataclass(frozen=True, eq=False)
class Spread:
    """How the features of as many images as the other set has lie."""

    features: LabelledFeatures
    singular_values_R: Tensor

    @classmethod
    def of(cls, figures: Figures, rows_N: Tensor) -> "Spread":
        """Return it for these images."""
        features = figures.observed.features.rows(rows_N)
        return cls(features, singular_values(features.features_NF))

    def metrics(self) -> dict[str, float]:
        """Return the effective rank and the collapse."""
        return {"effective_rank": effective_rank(self.singular_values_R), "nc1": collapse(*self.features)}


def columns(figures: Figures) -> dict[str, list[Any]]:
    """Return what is known of each image, column by column, in JSON's types; null where an image has none."""
    batch, parts = figures.observed.batch, figures.margins
    has_mask = batch.has_mask_B.tolist()

    def known(values_N: Tensor) -> list[float | None]:
        return [value if known else None for value, known in zip(values_N.tolist(), has_mask, strict=True)]

    return {
        "ids": list(batch.ids),
        "labels": batch.labels_B.tolist(),
        "predicted": figures.observed.logits_NK.argmax(1).tolist(),
        "rivals": figures.rivals_N.tolist(),
        "margin": parts.total_N.tolist(),
        "object": known(parts.object_N),
        "background": known(parts.background_N),
        "bias": parts.bias_N.tolist(),
    }
