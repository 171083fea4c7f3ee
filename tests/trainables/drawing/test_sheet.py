"""Where things stand on a sheet, and that it stays within its bounds."""

import numpy as np
import pytest
from PIL import Image

from trainables.drawing.sheet import CAPTION_LINES, MIN_LEGEND, Row, Tile, draw_sheet, slot_width

LONG = "Grand basset griffon vendéen de l'île de Saint-Barthélemy " * 6


def tile(width: int = 120, height: int = 120, caption: tuple[str, ...] = ("predicted 3, 98%",)) -> Tile:
    return Tile(Image.new("RGB", (width, height), "#00ff00"), Image.new("RGB", (width, height), "#ff00ff"), caption)


def row(*tiles: Tile, empty: str = "none") -> Row:
    return Row("Heading", "note", tiles, empty)


def sheet(*rows: Row, slot: int = 170) -> Image.Image:
    return draw_sheet("title", "note", rows, slot=slot)


def corners(image: Image.Image, colour: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Return the upper left of each area of a colour, as row and column, from top to bottom and left to right."""
    mask = (np.array(image) == colour).all(2)
    above, left = np.zeros_like(mask), np.zeros_like(mask)
    above[1:], left[:, 1:] = mask[:-1], mask[:, :-1]
    return [(int(y), int(x)) for y, x in zip(*np.nonzero(mask & ~above & ~left), strict=True)]


def test_images_stand_in_rows_with_their_maps_below() -> None:
    drawn = sheet(row(tile(), tile(), tile()), row(tile()))
    images, maps = corners(drawn, (0, 255, 0)), corners(drawn, (255, 0, 255))
    assert [x for _, x in images] == [21, 153, 285, 21]
    assert len({y for y, _ in images}) == 2
    assert maps == [(y + 120 + 6, x) for y, x in images]


def test_an_empty_row_holds_words_only() -> None:
    drawn = sheet(row(), row(tile()))
    without = sheet(row(empty=""), row(tile()))
    assert len(corners(drawn, (0, 255, 0))) == 1
    assert drawn.height > without.height


def test_all_of_an_image_and_of_the_words_is_on_the_sheet() -> None:
    """Nothing but paper is at the edges."""
    drawn = np.array(sheet(*[row(*[tile(170, 255, (LONG, LONG, "background 12%"))] * 8)] * 3))
    for edge in (drawn[:10], drawn[-10:], drawn[:, :10], drawn[:, -10:]):
        assert (edge == 255).all()


@pytest.mark.parametrize("num", range(1, 13))
def test_a_sheet_is_at_most_1600_pixels_wide(num: int) -> None:
    slot = slot_width(num)
    assert slot >= 100
    assert sheet(row(*[tile(slot)] * num), slot=slot).width <= 1600


def test_the_largest_sheet_is_at_most_3000_pixels_high() -> None:
    caption = (LONG, LONG, "background 12%")
    rows = [Row(LONG, LONG, [tile(170, 255, caption)] * 8, "")] * 3
    drawn = draw_sheet(LONG, LONG, rows, slot=170)
    assert drawn.width <= 1600
    assert drawn.height <= 3000
    assert drawn.height > 3 * (2 * 255 + 2 * CAPTION_LINES * 13)


def test_narrow_images_leave_their_captions_room() -> None:
    drawn = sheet(row(tile(3), tile(3)))
    assert [x for _, x in corners(drawn, (0, 255, 0))] == [21, 21 + 120 + 12]


def test_the_legend_of_flat_images_is_high_enough_for_its_words() -> None:
    """It begins with the map, 6 pixels below the image, and ends above the margin of 20."""
    drawn = sheet(row(tile(170, 10, ("",))))
    ((top, _),) = corners(drawn, (255, 0, 255))
    assert drawn.height == top + MIN_LEGEND + 12 + 20
