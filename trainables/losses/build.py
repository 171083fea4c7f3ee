"""From an objective's config to the terms that training minimises.

B batch.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.cams import reduce_background
from trainables.config import Contrastive, CrossEntropy, ObjectiveConfig
from trainables.losses.contrastive import contrastive_cross_entropy

if TYPE_CHECKING:
    from trainables.data import Batch
    from trainables.models import Output


class Objective(Protocol):
    """What a network's output on a batch costs."""

    def __call__(self, output: "Output", head: nn.Linear, batch: "Batch") -> dict[str, Tensor]:
        """Return named terms, weighted and unreduced, each of shape B."""
        ...


def _cross_entropy(output: "Output", head: nn.Linear, batch: "Batch") -> dict[str, Tensor]:  # noqa: ARG001
    return {"cross_entropy": functional.cross_entropy(output.logits, batch.labels_B, reduction="none")}


def _contrastive(output: "Output", head: nn.Linear, batch: "Batch", *, background_weight: float) -> dict[str, Tensor]:
    loss_B = contrastive_cross_entropy(
        output.features,
        head.weight,
        batch.labels_B,
        reduce_background(batch.background_BHW, output.features.shape[-2:]),
        background_weight=background_weight,
        bias_K=head.bias,
    )
    return {"contrastive_cross_entropy": loss_B}


def _build_cross_entropy(config: CrossEntropy) -> Objective:  # noqa: ARG001
    return _cross_entropy


def _build_contrastive(config: Contrastive) -> Objective:
    return partial(_contrastive, background_weight=config.background_weight)


OBJECTIVES: dict[str, Callable[[Any], Objective]] = {
    "cross_entropy": _build_cross_entropy,
    "contrastive": _build_contrastive,
}


def build_objective(config: ObjectiveConfig) -> Objective:
    """Build the objective of `config`; it can be pickled."""
    if config.kind not in OBJECTIVES:
        raise ValueError(f"objective.kind = {config.kind!r} has no builder; valid kinds: {', '.join(OBJECTIVES)}")
    return OBJECTIVES[config.kind](config)


def reduce_terms(terms: Mapping[str, Tensor]) -> Tensor:
    """Return the loss: the sum of the terms' means over the batch."""
    return torch.stack([term_B.mean() for term_B in terms.values()]).sum()
