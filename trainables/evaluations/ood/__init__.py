"""Detection of images that belong to no class of the training set."""

from trainables.evaluations.ood.ood import OOD

__all__ = ["OOD"]
