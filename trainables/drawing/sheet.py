"""A contact sheet: rows of images with their maps below them and captions under these."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from trainables.drawing.colours import FAINT, FRAME, INK, PAPER
from trainables.drawing.legend import LEGEND_WIDTH, draw_legend
from trainables.drawing.lettering import font, line_height, wrap, write

MAX_WIDTH = 1600
MARGIN, GAP = 20, 12
TITLE_SIZE, HEADING_SIZE, NOTE_SIZE, CAPTION_SIZE = 20, 17, 13, 13
NOTE_LINES, CAPTION_LINES = 6, 4
MIN_COLUMNS, MIN_SLOT, MAX_SLOT, MIN_LEGEND = 5, 120, 170, 100


@dataclass(frozen=True)
class Tile:
    """An image, its map of the same size if it has one, and the captions under them, each on its own line."""

    image: Image.Image
    map: Image.Image | None
    caption: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """Tiles under a heading, or the words that say why there are none."""

    heading: str
    note: str
    tiles: Sequence[Tile]
    empty: str


def slot_width(num_tiles: int) -> int:
    """Return the width of a tile of which `num_tiles` stand side by side on a sheet of at most 1600 pixels."""
    return min(MAX_SLOT, (MAX_WIDTH - 2 * MARGIN - LEGEND_WIDTH) // num_tiles - GAP)


def draw_sheet(title: str, note: str, rows: Sequence[Row], *, slot: int) -> Image.Image:
    """Draw the rows below each other, with the legend next to the first that has a map.

    Args:
        title: The sheet's title.
        note: What tiles and captions show.
        rows: At least one of them with a tile.
        slot: Width that a tile has.
    """
    widest = max((tile.image.width for row in rows for tile in row.tiles), default=slot)
    pitch = max(widest, min(slot, MIN_SLOT)) + GAP
    columns = max(MIN_COLUMNS, *(len(row.tiles) for row in rows))
    inner = columns * pitch + LEGEND_WIDTH
    pieces = [_head(title, note, inner)]
    with_legend = next((row for row in rows if row.tiles and row.tiles[0].map is not None), None)
    pieces += [_row(row, inner, pitch, legend=row is with_legend) for row in rows]
    height = sum(piece.height + GAP for piece in pieces) - GAP
    sheet = Image.new("RGB", (inner + 2 * MARGIN, height + 2 * MARGIN), PAPER)
    top = MARGIN
    for piece in pieces:
        sheet.paste(piece, (MARGIN, top))
        top += piece.height + GAP
    return sheet


def _head(title: str, note: str, width: int) -> Image.Image:
    return _words([_Words.wrapped(title, width, 2, TITLE_SIZE), _note(note, width)], width)


def _row(row: Row, width: int, pitch: int, *, legend: bool) -> Image.Image:
    heading = _Words.wrapped(row.heading, width, 1, HEADING_SIZE)
    words = _words([heading, _note(row.note if row.tiles else row.empty, width)], width)
    if not row.tiles:
        return words
    captions = [_caption(tile, pitch - GAP) for tile in row.tiles]
    height = max(tile.image.height for tile in row.tiles)
    num_images = 1 if row.tiles[0].map is None else 2
    tops = [words.height + number * (height + GAP // 2) for number in range(num_images)]
    under = tops[-1] + height + GAP // 2
    legend_height = max(height, MIN_LEGEND) if num_images > 1 else 0
    bottom = max(under + max(caption.height for caption in captions), tops[-1] + legend_height + GAP)
    whole = Image.new("RGB", (width, bottom), PAPER)
    whole.paste(words, (0, 0))
    draw = ImageDraw.Draw(whole)
    for position, (tile, caption) in enumerate(zip(row.tiles, captions, strict=True)):
        left = 1 + position * pitch
        for top, image in zip(tops, (tile.image, tile.map), strict=False):
            assert image is not None, "all tiles of a row have a map, or none"
            whole.paste(image, (left, top))
            draw.rectangle((left - 1, top - 1, left + image.width, top + image.height), outline=FRAME)
        whole.paste(caption, (left, under))
    if legend:
        draw_legend(whole, (1 + len(row.tiles) * pitch, tops[-1]), legend_height, ("+max", "-max"))
    return whole


@dataclass(frozen=True)
class _Words:
    lines: Sequence[str]
    size: int
    fill: str

    @classmethod
    def wrapped(cls, text: str, width: int, max_lines: int, size: int, fill: str = INK) -> "_Words":
        return cls(wrap(text, font(size), width=width, max_lines=max_lines), size, fill)

    @property
    def height(self) -> int:
        return len(self.lines) * line_height(self.size)


def _note(note: str, width: int) -> _Words:
    return _Words.wrapped(note, width, NOTE_LINES, NOTE_SIZE, FAINT)


def _caption(tile: Tile, width: int) -> Image.Image:
    fills = [INK] + [FAINT] * (len(tile.caption) - 1)
    return _words(
        [
            _Words.wrapped(text, width, CAPTION_LINES, CAPTION_SIZE, fill)
            for text, fill in zip(tile.caption, fills, strict=True)
        ],
        width,
    )


def _words(blocks: Sequence[_Words], width: int) -> Image.Image:
    """Write blocks below each other, and leave a gap under the last."""
    words = Image.new("RGB", (width, sum(block.height for block in blocks) + GAP), PAPER)
    draw, top = ImageDraw.Draw(words), 0
    for block in blocks:
        write(draw, (0, top), block.lines, size=block.size, fill=block.fill)
        top += block.height
    return words
