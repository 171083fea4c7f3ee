"""Images with their features and logits, computed once for all scores.

N images, B batch, C channels, F features, K classes, H W image.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.result import NotPossibleError


@dataclass(frozen=True)
class Encoded:
    """Images, features and logits on the CPU."""

    images_NCHW: Tensor
    features_NF: Tensor
    """float32: the mean-pooled features that the head sees."""
    logits_NK: Tensor
    """float64, in which the probabilities of a sure network are still apart."""


def encode(context: EvaluationContext, images_NCHW: Tensor) -> Encoded:
    """Run the network on images; raise NotPossibleError where its output is not finite."""
    chunks = [_encode_batch(context, chunk_BCHW) for chunk_BCHW in context.chunks(images_NCHW)]
    features_NF, logits_NK = (torch.cat(column) for column in zip(*chunks, strict=True))
    if not (features_NF.isfinite().all() and logits_NK.isfinite().all()):
        raise NotPossibleError("the network's features and logits are not all finite")
    return Encoded(images_NCHW, features_NF, logits_NK)


@torch.no_grad()
def _encode_batch(context: EvaluationContext, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    output = context.model(images_BCHW.to(context.device))
    return output.features.float().mean((2, 3)).cpu(), output.logits.double().cpu()
