"""A network in eval mode for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_eval_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into eval mode; afterwards all of it has the mode that the network itself had before."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)
