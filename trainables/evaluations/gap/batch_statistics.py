"""A network whose batch norms take mean and variance of the batch that they see, as in training.

N images, B batch, C channels, H W image.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.evaluations.base import EvaluationContext

BATCH = 32
"""Images over which statistics are taken, at most."""


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """Return the batch norms of a network that has trained statistics to compare with."""
    return [norm for norm in network.modules() if isinstance(norm, _BatchNorm) and norm.track_running_stats]


@contextmanager
def by_batch_statistics(norms: list[_BatchNorm]) -> Iterator[None]:
    """Let batch norms normalise by their batch, which leaves the running statistics alone; then undo it."""
    assert not any(norm.training for norm in norms), "a network is evaluated in eval mode"
    try:
        for norm in norms:
            norm.training, norm.track_running_stats = True, False
        yield
    finally:
        for norm in norms:
            norm.training, norm.track_running_stats = False, True


def logits_by_batch(context: EvaluationContext, images_NCHW: Tensor) -> Tensor:
    """Return logits_NK by batch statistics, of batches of about the same size that are drawn at random.

    A list of images is often in the order of its classes, whose statistics are others.
    """
    order_N = torch.randperm(len(images_NCHW), generator=context.generator("gap batches"))
    batches = order_N.tensor_split(-(-len(order_N) // BATCH))
    with by_batch_statistics(batch_norms(context.model)), torch.no_grad():
        logits = [context.model(images_NCHW[rows_B].to(context.device)).logits.double().cpu() for rows_B in batches]
    return torch.cat(logits)[order_N.argsort()]
