"""The concepts of one network, the most important first, with all that cards, table and document show of them.

N images, J concepts, K classes, F features, H W map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.data import Batch
from trainables.evaluations.concepts.dictionary import matched_cosines
from trainables.evaluations.concepts.importance import (
    class_amounts,
    class_importance,
    head_of_concepts,
    margin_importance,
    object_shares,
)
from trainables.evaluations.concepts.readings import Readings


@dataclass(frozen=True, slots=True, eq=False)
class Concepts:
    """By concept."""

    head_JK: Tensor
    """What one unit of each adds to each logit."""
    importance_J: Tensor
    """Mean size of what it adds to the margin of an image's predicted class over the strongest rival."""
    by_class_KJ: Tensor
    """What it adds to the logit of each class more than to the mean logit, in images of the class; nan without any."""
    amounts_KJ: Tensor
    """Mean activation in images of each class; nan without any."""
    object_share_J: Tensor
    """Share of its activation that lies on the object; nan without masks."""
    object_area: float
    """The object's share of the cells: that of a concept that is equally active everywhere; nan without masks."""
    stability_J: Tensor
    """Mean cosine similarity with its partner in the factorisations of other seeds; nan without others."""

    @property
    def shares(self) -> Tensor:
        """Importance as shares that sum to 1, J; nan where none is important."""
        return self.importance_J / self.importance_J.sum()

    @property
    def is_background(self) -> Tensor:
        """Whether more than half of its activation lies on the background, J; false without masks."""
        return self.object_share_J < 0.5


def describe(readings: Readings, dictionaries: Sequence[Tensor], weight_KF: Tensor, batch: Batch) -> Concepts:
    """Return what is known of the concepts of the first dictionary_JF, of which the readings are."""
    dictionary_JF, *others = dictionaries
    head_JK, amounts_NJ = head_of_concepts(dictionary_JF, weight_KF), readings.amounts
    background_NHW = readings.background_NHW[batch.has_mask_B]
    return Concepts(
        head_JK=head_JK,
        importance_J=importance(readings, head_JK),
        by_class_KJ=class_importance(amounts_NJ, head_JK, batch.labels_B),
        amounts_KJ=class_amounts(amounts_NJ, batch.labels_B, len(weight_KF)),
        object_share_J=object_shares(readings.activations_NJHW[batch.has_mask_B], background_NHW),
        object_area=(1 - background_NHW).mean().item(),
        stability_J=torch.stack([matched_cosines(dictionary_JF, other_JF) for other_JF in others]).mean(0),
    )


def importance(readings: Readings, head_JK: Tensor) -> Tensor:
    """Return the mean size of what each concept adds to the margin of the predicted class over its rival, J."""
    return margin_importance(readings.amounts, head_JK, readings.predicted, readings.rivals).abs().mean(0)


def name_of(concept: int) -> str:
    """Return the name of a concept's card."""
    return f"concept-{concept + 1:02d}"
