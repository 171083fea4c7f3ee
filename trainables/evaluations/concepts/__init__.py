"""Concepts: non-negative factors of the features, and what each means for the logits."""

from trainables.evaluations.concepts.concepts import CONCEPTS

__all__ = ["CONCEPTS"]
