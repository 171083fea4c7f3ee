"""From an objective's config to the terms that training minimises.

B batch, K classes, H W map.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.cams import contrastive_cams, hirescam, reduce_background, reduce_classes
from trainables.config import (
    BinaryContrastive,
    BinaryCrossEntropy,
    ClassificationConfig,
    Contrastive,
    CrossEntropy,
    ObjectiveConfig,
    regulariser_weights,
)
from trainables.losses.binary import binary_contrastive
from trainables.losses.contrastive import contrastive_cross_entropy
from trainables.losses.divergence import mask_divergence
from trainables.losses.guidance import guidance
from trainables.losses.precision import loss_dtype
from trainables.losses.rrr import right_reasons
from trainables.losses.sliced_wasserstein import sliced_wasserstein

if TYPE_CHECKING:
    from trainables.data.batch import Batch
    from trainables.models.output import Output


class Objective(Protocol):
    """What a network's output on a batch costs."""

    def __call__(self, output: "Output", head: nn.Linear, batch: "Batch") -> dict[str, Tensor]:
        """Return named terms, weighted and unreduced, each of shape B."""
        ...


ON_HIRESCAMS = frozenset({"guidance"})
"""The terms on HiResCAMs; the others are on ContrastiveCAMs."""
MapTerm = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(maps_BKHW, labels_B, background_BHW) -> loss_B; the maps are ContrastiveCAMs, for `guidance` HiResCAMs."""


PixelTerm = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits_BK, images_BCHW, background_BHW) -> loss_B; the images require a gradient, and the mask has their size."""


ClassificationTerm = Callable[["Output", nn.Linear, "Batch", Tensor], dict[str, Tensor]]
"""(output, head, batch, background_BHW) -> terms of shape B by name; the background is on the map's grid."""


@dataclass(frozen=True)
class _Classification:
    """A classification term, and terms on maps and pixels; maps and mask are made once for all of them."""

    classification: ClassificationTerm
    map_terms: Mapping[str, tuple[float, MapTerm]]
    """Weight and term by name."""
    pixel_terms: Mapping[str, tuple[float, PixelTerm]]
    """Likewise, on the gradient of the images."""

    def __call__(self, output: "Output", head: nn.Linear, batch: "Batch") -> dict[str, Tensor]:
        background_BHW = reduce_background(batch.background_BHW, output.features.shape[-2:])
        terms = self.classification(output, head, batch, background_BHW)
        if self.map_terms:
            features_BFHW = output.features.to(loss_dtype(output.features, head.weight))
            cams_BKHW = hirescam(features_BFHW, head.weight)
            contrastive_BKHW = contrastive_cams(cams_BKHW, batch.labels_B)
            for name, (weight, term) in self.map_terms.items():
                maps_BKHW = cams_BKHW if name in ON_HIRESCAMS else contrastive_BKHW
                term_B = term(maps_BKHW, batch.labels_B, background_BHW)
                terms[name] = weight * torch.where(batch.has_mask_B, term_B, 0)
        for name, (weight, pixel_term) in self.pixel_terms.items():
            term_B = pixel_term(output.logits, batch.images_BCHW, batch.background_BHW)
            terms[name] = weight * torch.where(batch.has_mask_B, term_B, 0)
        return terms


def _cross_entropy(
    output: "Output",
    head: nn.Linear,  # noqa: ARG001
    batch: "Batch",
    background_BHW: Tensor | None = None,  # noqa: ARG001
    *,
    label_smoothing: float = 0.0,
) -> dict[str, Tensor]:
    loss_B = functional.cross_entropy(output.logits, batch.labels_B, reduction="none", label_smoothing=label_smoothing)
    return {"cross_entropy": loss_B}


def _contrastive(
    output: "Output",
    head: nn.Linear,
    batch: "Batch",
    background_BHW: Tensor,
    *,
    background_weight: float,
    label_smoothing: float,
) -> dict[str, Tensor]:
    loss_B = contrastive_cross_entropy(
        output.features,
        head.weight,
        batch.labels_B,
        background_BHW,
        background_weight=background_weight,
        label_smoothing=label_smoothing,
        bias_K=head.bias,
    )
    return {"contrastive_cross_entropy": loss_B}


def _binary_cross_entropy(
    output: "Output",
    head: nn.Linear,
    batch: "Batch",
    background_BHW: Tensor | None = None,  # noqa: ARG001
    *,
    label_smoothing: float = 0.0,
) -> dict[str, Tensor]:
    targets_BK = _targets(batch, head.out_features, label_smoothing).to(output.logits.dtype)
    loss_BK = functional.binary_cross_entropy_with_logits(output.logits, targets_BK, reduction="none")
    return {"binary_cross_entropy": loss_BK.sum(1)}


def _binary_contrastive(
    output: "Output",
    head: nn.Linear,
    batch: "Batch",
    background_BHW: Tensor,
    *,
    background_weight: float,
    label_smoothing: float,
) -> dict[str, Tensor]:
    if batch.classes_BHW is not None:  # Each class has a background of its own.
        _, background_BHW = reduce_classes(batch.classes_BHW, head.out_features, output.features.shape[-2:])
    loss_B = binary_contrastive(
        output.features,
        head.weight,
        _targets(batch, head.out_features, label_smoothing),
        background_BHW,
        background_weight=background_weight,
        bias_K=head.bias,
    )
    return {"binary_contrastive": loss_B}


def _targets(batch: "Batch", num_classes: int, label_smoothing: float) -> Tensor:
    """Return which classes each image shows, of shape B,K: its label alone where it has one.

    Smoothing moves each of them towards 1/2 by its share, as in Keras' BinaryCrossentropy.
    """
    targets_BK = functional.one_hot(batch.labels_B, num_classes) if batch.targets_BK is None else batch.targets_BK
    return (1 - label_smoothing) * targets_BK + label_smoothing / 2 if label_smoothing else targets_BK


def _build_cross_entropy(config: CrossEntropy) -> Objective:
    term = partial(_cross_entropy, label_smoothing=config.label_smoothing)
    return _with_map_terms(term, config) if regulariser_weights(config) else term


def _build_contrastive(config: Contrastive) -> Objective:
    return _with_map_terms(_with_both(_contrastive, config), config)


def _build_binary_cross_entropy(config: BinaryCrossEntropy) -> Objective:
    term = partial(_binary_cross_entropy, label_smoothing=config.label_smoothing)
    return _with_map_terms(term, config) if regulariser_weights(config) else term


def _build_binary_contrastive(config: BinaryContrastive) -> Objective:
    return _with_map_terms(_with_both(_binary_contrastive, config), config)


def _with_both(term: Callable[..., dict[str, Tensor]], config: Contrastive | BinaryContrastive) -> ClassificationTerm:
    return partial(term, background_weight=config.background_weight, label_smoothing=config.label_smoothing)


def _with_map_terms(classification: ClassificationTerm, config: ClassificationConfig) -> Objective:
    map_terms: dict[str, tuple[float, MapTerm]] = {}
    if (divergence := config.divergence) is not None:
        term: MapTerm = partial(
            mask_divergence,
            where=divergence.where,
            mask_scale=divergence.mask_scale,
            map_scale=divergence.map_scale,
        )
        map_terms["divergence"] = (divergence.weight, term)
    if (wasserstein := config.sliced_wasserstein) is not None:
        term = partial(
            sliced_wasserstein,
            num_directions=wasserstein.num_directions,
            target_probability=wasserstein.target_probability,
        )
        map_terms["sliced_wasserstein"] = (wasserstein.weight, term)
    if config.guidance is not None:
        map_terms["guidance"] = (config.guidance.weight, partial(guidance, loss=config.guidance.loss))
    return _Classification(classification, map_terms, _pixel_terms(config))


def _pixel_terms(config: ClassificationConfig) -> dict[str, tuple[float, PixelTerm]]:
    if config.rrr is None:
        return {}
    is_binary = isinstance(config, BinaryCrossEntropy | BinaryContrastive)
    return {"rrr": (config.rrr.weight, partial(right_reasons, is_binary=is_binary))}


OBJECTIVES: dict[str, Callable[[Any], Objective]] = {
    "binary_contrastive": _build_binary_contrastive,
    "binary_cross_entropy": _build_binary_cross_entropy,
    "contrastive": _build_contrastive,
    "cross_entropy": _build_cross_entropy,
}


def build_objective(config: ObjectiveConfig) -> Objective:
    """Build the objective of `config`; it can be pickled."""
    if config.kind not in OBJECTIVES:
        raise ValueError(f"objective.kind = {config.kind!r} has no builder; valid kinds: {', '.join(OBJECTIVES)}")
    return OBJECTIVES[config.kind](config)


def weighted(terms: Mapping[str, Tensor], batch: "Batch") -> Mapping[str, Tensor]:
    """Return the terms, of which each image's count by its weight."""
    if batch.weights_B is None:
        return terms
    return {name: batch.weights_B * term_B for name, term_B in terms.items()}


def reduce_terms(terms: Mapping[str, Tensor]) -> Tensor:
    """Return the loss: the sum of the terms' means over the batch."""
    return torch.stack([term_B.mean() for term_B in terms.values()]).sum()
