"""The strongest channels of a comparison of classes, and a card of them with the crops to which each contributes most.

N images, F channels, C colours, H W image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image
from torch import Tensor

from trainables.drawing.colours import to_image
from trainables.drawing.sheet import Row, Tile, draw_sheet, slot_width
from trainables.drawing.tile import tile_image
from trainables.evaluations.channels.contributions import background_share, strongest
from trainables.evaluations.channels.crops import NUM_CROPS, Crop
from trainables.evaluations.channels.pooled import NUM_STRONGEST

NUM_ROWS = 5
"""Channels of a card, at most."""
NOTE = (
    "Each row is a channel, the one with the largest contribution first. Its tiles come from the images to whose "
    "margin it contributes most in the direction of its mean, cut out around the cell that adds most. Captions: the "
    "contribution in logits, and the share of it that lies on the background, where there is a mask."
)
Sign = Literal["+", "-"]
"""Whether positive contributions of channels are drawn with `+`, or without a sign, as means of absolute values are."""


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One of the strongest channels."""

    channel: int
    contribution: float
    """In logits."""
    share: float
    """Of the sum of all channels' absolute contributions; nan where that is 0."""
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


def draw_card(title: str, rows: Sequence[ChannelRow], images_NCHW: Tensor, *, sign: Sign = "+") -> Image.Image:
    """Draw the first channels below each other."""
    slot = slot_width(NUM_CROPS)
    return draw_sheet(title, NOTE, [_row(row, images_NCHW, slot, sign) for row in rows[:NUM_ROWS]], slot=slot)


def heading(row: ChannelRow, sign: Sign) -> str:
    """Return a row's heading."""
    share = "" if math.isnan(row.share) else f", {row.share:.0%} of all contributions"
    return f"Channel {row.channel}: {row.contribution:{sign}.2g}{share}{_background(row.background_share)}"


def _row(row: ChannelRow, images_NCHW: Tensor, slot: int, sign: Sign) -> Row:
    return Row(
        heading=heading(row, sign),
        note="",
        tiles=[_tile(crop, images_NCHW, slot) for crop in row.crops],
        empty="It contributes nothing.",
    )


def _tile(crop: Crop, images_NCHW: Tensor, slot: int) -> Tile:
    cut_CHW = images_NCHW[crop.index][:, *crop.box.slices]
    caption = f"{crop.contribution:+.2g}{_background(crop.background_share)}"
    return Tile(to_image(tile_image(cut_CHW, slot)), None, (caption,))


def _background(share: float) -> str:
    return "" if math.isnan(share) else f", background {share:.0%}"
