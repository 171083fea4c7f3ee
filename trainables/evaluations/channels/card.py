"""A card: the strongest channels, each with the crops to which it contributes most.

N images, C colours, H W image.
"""

import math
from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from trainables.drawing.colours import to_image
from trainables.drawing.sheet import Row, Tile, draw_sheet, slot_width
from trainables.drawing.tile import tile_image
from trainables.evaluations.channels.crops import NUM_CROPS, Crop
from trainables.evaluations.channels.rows import ChannelRow

NUM_ROWS = 5
"""Channels of a card, at most."""
NOTE = (
    "Each row is a channel, the one with the largest contribution first. Its tiles come from the images to whose "
    "margin it contributes most in the direction of its mean, cut out around the cell that adds most. Captions: the "
    "contribution in logits, and the share of it that lies on the background, where there is a mask."
)


def draw_card(title: str, rows: Sequence[ChannelRow], images_NCHW: Tensor) -> Image.Image:
    """Draw the first channels below each other."""
    slot = slot_width(NUM_CROPS)
    return draw_sheet(title, NOTE, [_row(row, images_NCHW, slot) for row in rows[:NUM_ROWS]], slot=slot)


def _row(row: ChannelRow, images_NCHW: Tensor, slot: int) -> Row:
    heading = f"Channel {row.channel}: {row.contribution:+.2g}, {row.share:.0%} of all contributions"
    return Row(
        heading=f"{heading}{_background(row.background_share)}",
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
