"""The strongest channels of a comparison of classes, and how much each has on the background.

M images, F channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from trainables.evaluations.channels.contributions import background_share, strongest
from trainables.evaluations.channels.crops import Crop
from trainables.evaluations.channels.pooled import NUM_STRONGEST


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One of the strongest channels."""

    channel: int
    contribution: float
    """In logits."""
    share: float
    """Of the sum of all channels' absolute contributions."""
    background_share: float
    """nan without masks."""
    crops: Sequence[Crop] = ()


def strongest_rows(contribution_F: Tensor, object_F: Tensor, background_F: Tensor) -> list[ChannelRow]:
    """Return the channels with the largest absolute contributions, the largest first."""
    share_F = contribution_F.abs() / contribution_F.abs().sum()
    on_background_F = background_share(object_F, background_F)
    return [
        ChannelRow(channel, float(contribution_F[channel]), float(share_F[channel]), float(on_background_F[channel]))
        for channel in strongest(contribution_F.unsqueeze(0), NUM_STRONGEST)[0].tolist()
    ]
