"""The scale of signed maps, drawn next to them."""

import torch
from PIL import Image, ImageDraw

from trainables.drawing.colours import FAINT, FRAME, INK, overlay, to_image
from trainables.drawing.lettering import line_height, write

BAR_WIDTH, LEGEND_WIDTH = 14, 104
LEGEND_SIZE = 13


def draw_legend(panel: Image.Image, corner: tuple[int, int], height: int, ends: tuple[str, str]) -> None:
    """Draw a bar with `corner` as its upper left, and its upper and lower end, for own class and rival, next to it."""
    left, top = corner
    values_HW = torch.linspace(1, -1, height).view(-1, 1).expand(-1, BAR_WIDTH)
    panel.paste(to_image(overlay(values_HW, torch.ones(height, BAR_WIDTH))), (left, top))
    draw = ImageDraw.Draw(panel)
    draw.rectangle((left - 1, top - 1, left + BAR_WIDTH, top + height), outline=FRAME)
    text_left, line = left + BAR_WIDTH + 8, line_height(LEGEND_SIZE)
    write(draw, (text_left, top), [ends[0]], size=LEGEND_SIZE, fill=INK)
    write(draw, (text_left, top + line), ["for own class"], size=LEGEND_SIZE, fill=FAINT)
    write(draw, (text_left, top + (height - line) // 2), ["0"], size=LEGEND_SIZE, fill=INK)
    write(draw, (text_left, top + height - 2 * line), ["for rival"], size=LEGEND_SIZE, fill=FAINT)
    write(draw, (text_left, top + height - line), [ends[1]], size=LEGEND_SIZE, fill=INK)
