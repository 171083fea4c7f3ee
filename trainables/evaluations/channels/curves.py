"""Accuracy and margin over the number of channels that are kept or removed, as curves.

N images, F channels, M numbers of channels.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor
from torch.nn import functional

from trainables.evaluations.channels.contributions import strongest
from trainables.evaluations.channels.keeping import Kept, channel_counts
from trainables.evaluations.channels.sample import Sample
from trainables.evaluations.result import Curve

CONTRIBUTION, ACTIVATION, RANDOM = "largest contributions", "largest activations", "random channels"


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
