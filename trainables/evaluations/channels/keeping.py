"""Accuracy on a few channels, all others set to 0, and the margin without a few; both as curves.

N images, K classes, F channels, M numbers of channels that are kept or removed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from trainables.evaluations.channels.contributions import strongest
from trainables.evaluations.channels.sample import Sample
from trainables.evaluations.result import Curve

NUM_RANDOM = 10
"""Random orders of the control."""
CONTRIBUTION, ACTIVATION, RANDOM = "largest contributions", "largest activations", "random channels"


@dataclass(frozen=True, eq=False)
class Kept:
    """How many channels were kept, and the share of the orders under which each image is right, float64 N,M."""

    counts: tuple[int, ...]
    by_contribution_NM: Tensor
    by_activation_NM: Tensor
    at_random_NM: Tensor


def keep_channels(sample: Sample, generator: torch.Generator) -> Kept:
    """Keep the first channels of three orders of each image: by contribution, by activation, and at random.

    The contribution is that to the predicted class against every class, so no order knows the label.
    """
    features_NF, counts = sample.pooled.features_NF, channel_counts(sample.pooled.features_NF.shape[1])
    predicted_N = (features_NF @ sample.weight_KF.T + sample.bias_K).argmax(1)
    orders = (torch.rand(features_NF.shape, generator=generator) for _ in range(NUM_RANDOM))
    return Kept(
        counts=counts,
        by_contribution_NM=hits(sample, channel_influence(features_NF, sample.weight_KF, predicted_N), counts),
        by_activation_NM=hits(sample, features_NF, counts),
        at_random_NM=torch.stack([hits(sample, order_NF, counts) for order_NF in orders]).mean(0),
    )


def channel_counts(num_channels: int) -> tuple[int, ...]:
    """Return 1, 2, 4 and so on below the number of channels, and that number."""
    return (*(2**power for power in range((num_channels - 1).bit_length())), num_channels)


def channel_influence(pooled_NF: Tensor, weight_KF: Tensor, classes_N: Tensor) -> Tensor:
    """Return `sum_k |D_f|` of each image's class c against every class k, `|mean_ij A_f| sum_k |W_cf - W_kf|`, N,F."""
    spread_NF = torch.stack([(weight_KF[class_] - weight_KF).abs().sum(0) for class_ in classes_N.tolist()])
    return pooled_NF.abs() * spread_NF


def hits(sample: Sample, scores_NF: Tensor, counts: Sequence[int]) -> Tensor:
    """Return whether each image is right on its channels of the largest absolute scores alone, float64 N,M."""
    order_NF = strongest(scores_NF, scores_NF.shape[1])
    hit = []
    for count in counts:
        kept_NF = torch.zeros_like(scores_NF, dtype=torch.bool).scatter(1, order_NF[:, :count], value=True)
        logits_NK = (sample.pooled.features_NF * kept_NF) @ sample.weight_KF.T + sample.bias_K
        hit.append(logits_NK.argmax(1) == sample.batch.labels_B)
    return torch.stack(hit, 1).double()


def kept_curves(kept: Kept) -> Iterator[Curve]:
    """Yield the accuracy on the channels kept, by the order in which they are chosen."""
    hits = {CONTRIBUTION: kept.by_contribution_NM, ACTIVATION: kept.by_activation_NM, RANDOM: kept.at_random_NM}
    for name, hit_NM in hits.items():
        yield Curve(
            chart="accuracy on the channels kept",
            name=name,
            x_label="channels kept",
            y_label="accuracy",
            x=tuple(map(float, kept.counts)),
            y=tuple(hit_NM.mean(0).tolist()),
        )


def removal_curves(sample: Sample) -> Iterator[Curve]:
    """Yield the mean margin left as each image's channels are removed, by the order in which they go.

    At random it is what is expected: each channel is as likely to go as any other.
    """
    num_channels = sample.contribution_NF.shape[1]
    counts = (0, *channel_counts(num_channels))
    removed_M = sample.contribution_NF.new_tensor(counts) / num_channels
    left = {
        CONTRIBUTION: margin_left(sample, sample.contribution_NF, counts),
        ACTIVATION: margin_left(sample, sample.pooled.features_NF, counts),
        RANDOM: sample.pooled.margin_N.mean() - removed_M * sample.contribution_NF.sum(1).mean(),
    }
    for name, margin_M in left.items():
        yield Curve(
            chart="margin as channels are removed",
            name=name,
            x_label="channels removed",
            y_label="mean margin",
            x=tuple(map(float, counts)),
            y=tuple(margin_M.tolist()),
        )


def margin_left(sample: Sample, scores_NF: Tensor, counts: Sequence[int]) -> Tensor:
    """Return the mean margin without the channels of the largest absolute scores of each image, M."""
    ordered_NF = sample.contribution_NF.gather(1, strongest(scores_NF, scores_NF.shape[1]))
    removed_NF = functional.pad(ordered_NF.cumsum(1), (1, 0))
    return (sample.pooled.margin_N.unsqueeze(1) - removed_NF[:, list(counts)]).mean(0)
