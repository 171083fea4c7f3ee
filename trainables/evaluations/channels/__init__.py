"""Which channels the margin of a class over its rival is made of."""

from trainables.evaluations.channels.channels import CHANNELS

__all__ = ["CHANNELS"]
