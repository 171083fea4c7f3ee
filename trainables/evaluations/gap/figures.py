"""The figures of one set of images, by image and of all of them together.

N images, F features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainables.data.backgrounds import blend
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.channels.contributions import rivals_of
from trainables.evaluations.gap.batch_statistics import batch_norms, logits_by_batch
from trainables.evaluations.gap.geometry import collapse, effective_rank, singular_values
from trainables.evaluations.gap.margins import Margins, margins
from trainables.evaluations.gap.observed import Observed
from trainables.evaluations.gap.refit import LabelledFeatures
from trainables.evaluations.swaps import BLACK


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
    rivals_N = rivals_of(observed.logits_NK, batch.labels_B)
    parts = margins(observed, rivals_N, head.weight.detach().cpu(), bias_K)
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
        observed = figures.observed
        features = LabelledFeatures(observed.pooled_NF, observed.batch.labels_B).rows(rows_N)
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
