"""A graph whose nodes stand in columns, one a layer, with signed nodes and edges: red above zero, blue below."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from trainables.drawing.colours import BLUE, FAINT, FRAME, INK, PAPER, RED
from trainables.drawing.lettering import font, line_height, wrap, write

MARGIN, GAP = 20, 12
TITLE_SIZE, HEADING_SIZE, NOTE_SIZE, LABEL_SIZE = 20, 14, 13, 12
HEADING_LINES, NOTE_LINES = 2, 6
COLUMN, ROW, RADIUS = 130, 46, 16
MIN_WIDTH, MAX_LINE = 640, 7
SMOOTH = 3
"""Pixels of a side that one pixel of a circle or line is drawn with."""


@dataclass(frozen=True)
class Layer:
    """A column: a heading, and the label and the value in [-1, 1] of each node, from top to bottom."""

    heading: str
    nodes: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Link:
    """An edge from a node of a layer to one of the next, each by its place, with a value in [-1, 1]."""

    layer: int
    start: int
    end: int
    value: float


def draw_layered_graph(title: str, note: str, layers: Sequence[Layer], links: Sequence[Link]) -> Image.Image:
    """Draw the layers from left to right under a title; the colour of a node or an edge grows with its value's size."""
    width = max(MIN_WIDTH, 2 * MARGIN + len(layers) * COLUMN)
    titles = wrap(title, font(TITLE_SIZE), width=width - 2 * MARGIN, max_lines=2)
    notes = wrap(note, font(NOTE_SIZE), width=width - 2 * MARGIN, max_lines=NOTE_LINES)
    headings = [
        wrap(layer.heading, font(HEADING_SIZE), width=COLUMN - GAP, max_lines=HEADING_LINES) for layer in layers
    ]
    notes_top = MARGIN + len(titles) * line_height(TITLE_SIZE)
    headings_top = notes_top + len(notes) * line_height(NOTE_SIZE) + GAP
    top = headings_top + HEADING_LINES * line_height(HEADING_SIZE) + GAP
    graph = _graph(layers, links, width - 2 * MARGIN)
    image = Image.new("RGB", (width, top + graph.height + MARGIN), PAPER)
    draw = ImageDraw.Draw(image)
    write(draw, (MARGIN, MARGIN), titles, size=TITLE_SIZE, fill=INK)
    write(draw, (MARGIN, notes_top), notes, size=NOTE_SIZE, fill=FAINT)
    for number, lines in enumerate(headings):
        write(draw, (MARGIN + number * COLUMN, headings_top), lines, size=HEADING_SIZE, fill=INK)
    image.paste(graph, (MARGIN, top))
    return image


def _graph(layers: Sequence[Layer], links: Sequence[Link], width: int) -> Image.Image:
    height = max(1, *(len(layer.nodes) for layer in layers)) * ROW
    large = Image.new("RGB", (width * SMOOTH, height * SMOOTH), PAPER)
    draw = ImageDraw.Draw(large)
    for link in sorted(links, key=lambda each: abs(each.value)):
        ends = [_place(layers, link.layer, link.start, height), _place(layers, link.layer + 1, link.end, height)]
        line = [(x * SMOOTH, y * SMOOTH) for x, y in ends]
        draw.line(line, fill=_tinted(link.value), width=round((1 + (MAX_LINE - 1) * abs(link.value)) * SMOOTH))
    for number, layer in enumerate(layers):
        for position, (_, value) in enumerate(layer.nodes):
            x, y = _place(layers, number, position, height)
            box = [(x - RADIUS) * SMOOTH, (y - RADIUS) * SMOOTH, (x + RADIUS) * SMOOTH, (y + RADIUS) * SMOOTH]
            draw.ellipse(box, fill=_tinted(value), outline=FRAME, width=SMOOTH)
    graph = large.resize((width, height), Image.Resampling.BOX)
    draw = ImageDraw.Draw(graph)
    for number, layer in enumerate(layers):
        for position, (label, value) in enumerate(layer.nodes):
            fill = PAPER if abs(value) > 0.5 else INK
            draw.text(_place(layers, number, position, height), label, font=font(LABEL_SIZE), fill=fill, anchor="mm")
    return graph


def _place(layers: Sequence[Layer], layer: int, position: int, height: int) -> tuple[int, int]:
    """Return the middle of a node; the nodes of a layer stand in the middle of its column's height."""
    above = (height - len(layers[layer].nodes) * ROW) // 2
    return layer * COLUMN + RADIUS + 1, above + position * ROW + ROW // 2


def _tinted(value: float) -> tuple[int, int, int]:
    """Return white at 0, red at 1 and blue at -1."""
    red, green, blue = (round(255 * (1 - abs(value) * (1 - channel))) for channel in (RED if value > 0 else BLUE))
    return red, green, blue
