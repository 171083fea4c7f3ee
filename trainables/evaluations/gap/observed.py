"""What a network makes of sampled images: logits, and the features that its head sees.

N images, B batch, C channels, F features, K classes, H W image or map.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.cams import reduce_background
from trainables.data import Batch
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.channels.contributions import pool
from trainables.evaluations.result import NotPossibleError


@dataclass(frozen=True, eq=False)
class Observed:
    """Images, and what the network makes of them, on the CPU in float64."""

    batch: Batch
    logits_NK: Tensor
    pooled_NF: Tensor
    """`mean_ij A`."""
    background_NF: Tensor
    """`mean_ij (1-h) A`, the background's part of it; 0 for an image without a mask."""

    @property
    def correct_N(self) -> Tensor:  # noqa: N802
        """1 where the highest logit is the label's, else 0, float64."""
        return (self.logits_NK.argmax(1) == self.batch.labels_B).double()


def observe(context: EvaluationContext, batch: Batch) -> Observed:
    """Run the network on images; raise NotPossibleError where its output is not finite."""
    parts = [_observe(context, batch.rows(rows_B)) for rows_B in context.chunks(torch.arange(len(batch)))]
    observed = Observed(batch, *(torch.cat(column) for column in zip(*parts, strict=True)))
    if not (observed.pooled_NF.isfinite().all() and observed.logits_NK.isfinite().all()):
        raise NotPossibleError("the network's features and logits are not all finite")
    return observed


@torch.no_grad()
def _observe(context: EvaluationContext, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    output = context.model(batch.images_BCHW.to(context.device))
    background_BHW = reduce_background(batch.background_BHW, output.features.shape[-2:]).to(context.device)
    pooled_BF, background_BF = pool(output.features, background_BHW)
    return output.logits.double().cpu(), pooled_BF.cpu(), background_BF.cpu()
