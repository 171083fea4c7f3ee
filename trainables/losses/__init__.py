"""What training minimises."""

from trainables.losses.binary import binary_contrastive
from trainables.losses.build import Objective, build_objective, reduce_terms, weighted
from trainables.losses.contrastive import contrastive_cross_entropy
from trainables.losses.divergence import mask_divergence
from trainables.losses.group_dro import first_log_weights, group_sums, image_weights, next_log_weights
from trainables.losses.guidance import guidance
from trainables.losses.metric_learning import (
    EmbeddingLoss,
    build_embedding_loss,
    semi_hard_triplet,
    supervised_contrastive,
)
from trainables.losses.rrr import differentiable_twice, right_reasons
from trainables.losses.sliced_wasserstein import sliced_wasserstein

__all__ = [
    "EmbeddingLoss",
    "Objective",
    "binary_contrastive",
    "build_embedding_loss",
    "build_objective",
    "contrastive_cross_entropy",
    "differentiable_twice",
    "first_log_weights",
    "group_sums",
    "guidance",
    "image_weights",
    "mask_divergence",
    "next_log_weights",
    "reduce_terms",
    "right_reasons",
    "semi_hard_triplet",
    "sliced_wasserstein",
    "supervised_contrastive",
    "weighted",
]
