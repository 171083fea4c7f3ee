"""Accuracy on a few channels, all others set to 0.

N images, K classes, F channels, M numbers of channels kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.evaluations.channels.sample import Sample

NUM_RANDOM = 10
"""Random orders of the control."""


@dataclass(frozen=True, eq=False)
class Kept:
    """How many channels were kept, and the share of the orders under which each image is right, float64 N,M."""

    counts: tuple[int, ...]
    by_contribution_NM: Tensor
    by_activation_NM: Tensor
    at_random_NM: Tensor


def keep_channels(sample: Sample, generator: torch.Generator) -> Kept:
    """Keep the first channels of three orders: by mean |contribution|, by mean |activation|, and at random.

    The first two come from one half of the images and are measured on the other, and the reverse.
    """
    num, num_channels = sample.contribution_NF.shape
    counts = channel_counts(num_channels)
    halves = torch.randperm(num, generator=generator).tensor_split(2)
    orders = (torch.randperm(num_channels, generator=generator) for _ in range(NUM_RANDOM))
    everything = torch.arange(num)
    return Kept(
        counts=counts,
        by_contribution_NM=_cross_fitted(sample, sample.contribution_NF, halves, counts),
        by_activation_NM=_cross_fitted(sample, sample.pooled.features_NF, halves, counts),
        at_random_NM=torch.stack([hits(sample, everything, order_F, counts) for order_F in orders]).mean(0),
    )


def channel_counts(num_channels: int) -> tuple[int, ...]:
    """Return 1, 2, 4 and so on below the number of channels, and that number."""
    return (*(2**power for power in range((num_channels - 1).bit_length())), num_channels)


def hits(sample: Sample, indices_M: Tensor, order_F: Tensor, counts: Sequence[int]) -> Tensor:
    """Return whether each of some images is right on the first channels of `order_F` alone, float64, a row an image."""
    features_MF, labels_M = sample.pooled.features_NF[indices_M], sample.batch.labels_B[indices_M]
    logits = (
        features_MF[:, kept] @ sample.weight_KF[:, kept].T + sample.bias_K
        for kept in (order_F[:count] for count in counts)
    )
    return torch.stack([logits_MK.argmax(1) == labels_M for logits_MK in logits], 1).double()


def _cross_fitted(sample: Sample, scores_NF: Tensor, halves: Sequence[Tensor], counts: Sequence[int]) -> Tensor:
    """Return `hits` of each half, in the order of the mean absolute scores of the other."""
    hit_NM = scores_NF.new_zeros(len(scores_NF), len(counts))
    for half, other in (halves, halves[::-1]):
        order_F = scores_NF[other].abs().mean(0).argsort(descending=True, stable=True)
        hit_NM[half] = hits(sample, half, order_F, counts)
    return hit_NM
