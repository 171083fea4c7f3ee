"""What training minimises."""

from trainables.losses.build import Objective, build_objective, reduce_terms
from trainables.losses.contrastive import contrastive_cross_entropy

__all__ = ["Objective", "build_objective", "contrastive_cross_entropy", "reduce_terms"]
