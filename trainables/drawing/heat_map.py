"""Maps of quantities that are never negative, each next to a bar with the numbers of its scale.

C colours, H W map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from trainables.drawing.colours import FAINT, FRAME, INK, PAPER, to_image
from trainables.drawing.lettering import font, line_height, wrap, write

Ramp = tuple[tuple[float, float, float], ...]
"""Colours at equal distances from zero to the end of the scale."""
HEAT: Ramp = ((1.0, 0.98, 0.9), (0.99, 0.77, 0.4), (0.89, 0.33, 0.2), (0.58, 0.06, 0.25), (0.22, 0.03, 0.2))
WATER: Ramp = ((0.97, 0.98, 1.0), (0.62, 0.79, 0.88), (0.19, 0.51, 0.74), (0.03, 0.19, 0.42))
UNKNOWN = (0.9, 0.9, 0.9)

SIDE, MARGIN, GAP, BAR_WIDTH, NUMBERS_WIDTH = 336, 20, 12, 14, 72
TITLE_SIZE, HEADING_SIZE, NOTE_SIZE = 20, 16, 13
NOTE_LINES = 5


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A map with its heading and note, and the numbers of its scale."""

    heading: str
    note: str
    values_HW: Tensor
    """At least 0; nan is drawn grey."""
    highest: float
    """The end of the scale, above 0."""
    ticks: Sequence[tuple[float, str]]
    """Values and their numbers; one that would be written over an earlier one is left out."""
    ramp: Ramp = HEAT
    boxed: bool = False
    """Whether the middle half of rows and columns is framed."""


def colours(values_HW: Tensor, ramp: Ramp) -> Tensor:
    """Return the colour of each value in [0, 1], linear between those of the ramp and grey where nan, as C,H,W."""
    ramp_RC = torch.tensor(ramp)
    places_HW = values_HW.float().nan_to_num().clamp(0, 1) * (len(ramp) - 1)
    below_HW = places_HW.floor().long().clamp(max=len(ramp) - 2)
    part_HW1 = (places_HW - below_HW).unsqueeze(2)
    colours_HWC = (1 - part_HW1) * ramp_RC[below_HW] + part_HW1 * ramp_RC[below_HW + 1]
    colours_HWC[values_HW.isnan()] = torch.tensor(UNKNOWN)
    return colours_HWC.permute(2, 0, 1)


def draw_heat_maps(title: str, maps: Sequence[HeatMap]) -> Image.Image:
    """Draw the maps side by side under a title."""
    pitch = SIDE + GAP + BAR_WIDTH + NUMBERS_WIDTH
    width = 2 * MARGIN + len(maps) * pitch
    titles = wrap(title, font(TITLE_SIZE), width=width - 2 * MARGIN, max_lines=3)
    headings = [wrap(map_.heading, font(HEADING_SIZE), width=pitch - GAP, max_lines=1) for map_ in maps]
    notes = [wrap(map_.note, font(NOTE_SIZE), width=pitch - 2 * GAP, max_lines=NOTE_LINES) for map_ in maps]
    headings_top = MARGIN + len(titles) * line_height(TITLE_SIZE) + GAP
    notes_top = headings_top + line_height(HEADING_SIZE)
    top = notes_top + max(map(len, notes)) * line_height(NOTE_SIZE) + GAP
    drawn = [_enlarged(map_) for map_ in maps]
    sheet = Image.new("RGB", (width, top + max(image.height for image in drawn) + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    write(draw, (MARGIN, MARGIN), titles, size=TITLE_SIZE, fill=INK)
    for position, (map_, image) in enumerate(zip(maps, drawn, strict=True)):
        left = MARGIN + position * pitch
        write(draw, (left, headings_top), headings[position], size=HEADING_SIZE, fill=INK)
        write(draw, (left, notes_top), notes[position], size=NOTE_SIZE, fill=FAINT)
        sheet.paste(image, (left, top))
        draw.rectangle((left - 1, top - 1, left + image.width, top + image.height), outline=FRAME)
        _draw_bar(sheet, (left + image.width + GAP, top), image.height, map_)
    return sheet


def _enlarged(map_: HeatMap) -> Image.Image:
    """Draw cells as flat rectangles, the longer side of the map as long as a map's space."""
    height, width = map_.values_HW.shape
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = to_image(colours(map_.values_HW / map_.highest, map_.ramp)).resize(size, Image.Resampling.NEAREST)
    if map_.boxed:
        corners = (size[0] // 4, size[1] // 4, size[0] - size[0] // 4 - 1, size[1] - size[1] // 4 - 1)
        ImageDraw.Draw(image).rectangle(corners, outline=INK, width=2)
    return image


def _draw_bar(sheet: Image.Image, corner: tuple[int, int], height: int, map_: HeatMap) -> None:
    left, top = corner
    values_HW = torch.linspace(1, 0, height).view(-1, 1).expand(-1, BAR_WIDTH)
    sheet.paste(to_image(colours(values_HW, map_.ramp)), (left, top))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left - 1, top - 1, left + BAR_WIDTH, top + height), outline=FRAME)
    line, taken = line_height(NOTE_SIZE), list[int]()
    for value, number in map_.ticks:
        place = top + round((1 - value / map_.highest) * (height - 1))
        text_top = place - line // 2
        if any(abs(text_top - other) < line for other in taken):
            continue
        taken.append(text_top)
        draw.line((left + BAR_WIDTH, place, left + BAR_WIDTH + 3, place), fill=INK)
        write(draw, (left + BAR_WIDTH + 7, text_top), [number], size=NOTE_SIZE, fill=INK)
