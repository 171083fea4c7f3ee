"""The sampled images with the contribution of each channel to each image's margin.

N images, M some of them, K classes, F channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.data import Batch
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.channels.contributions import contributions
from trainables.evaluations.channels.pooled import Pooled, pool_sample


@dataclass(frozen=True, eq=False)
class Sample:
    """Images, their pooled features and the head, on the CPU; head and contributions are float64."""

    batch: Batch
    pooled: Pooled
    weight_KF: Tensor
    bias_K: Tensor
    class_names: Sequence[str]
    bias_N: Tensor
    """`b_c - b_r`, the part of the margin that no channel has."""
    contribution_NF: Tensor
    """`D_f`, the part of each channel."""
    object_NF: Tensor
    """The part of that on the object; nan without a mask."""
    background_NF: Tensor
    """The part on the background, likewise."""

    @property
    def additivity_error(self) -> float:
        """The largest `|sum_f D_f + b_c - b_r - (s_c - s_r)|`."""
        return (self.contribution_NF.sum(1) + self.bias_N - self.pooled.margin_N).abs().max().item()


def read_sample(context: EvaluationContext) -> Sample:
    """Return the context's sample with its contributions; NotPossibleError where there are none."""
    batch, pooled, head = context.sampled, pool_sample(context), context.model.head
    labels_N, rivals_N = batch.labels_B, pooled.rivals_N
    weight_KF = head.weight.detach().double().cpu()
    bias_K = torch.zeros_like(weight_KF[:, 0]) if head.bias is None else head.bias.detach().double().cpu()
    contribution_NF = contributions(pooled.features_NF, weight_KF, labels_N, rivals_N)
    background_NF = contributions(pooled.background_NF, weight_KF, labels_N, rivals_N)
    return Sample(
        batch=batch,
        pooled=pooled,
        weight_KF=weight_KF,
        bias_K=bias_K,
        class_names=context.data.class_names,
        bias_N=bias_K[labels_N] - bias_K[rivals_N],
        contribution_NF=contribution_NF,
        object_NF=contribution_NF - background_NF,
        background_NF=background_NF,
    )
