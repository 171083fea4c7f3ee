"""Why a network is right more often on its training images than on others: a diagnosis by its features."""

from trainables.evaluations.gap.gap import GAP

__all__ = ["GAP"]
