from math import nan

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.drawing.heat_map import HEAT, SIDE, UNKNOWN, WATER, HeatMap, Ramp, colours, draw_heat_maps

RAMP = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.0))


def test_colours_by_hand() -> None:
    values = torch.tensor([[0.0, 0.25, 0.5], [0.75, 1.0, 7.0]])
    expected = [[[0, 0.5, 1], [1, 1, 1]], [[0, 0, 0], [0.5, 1, 1]], [[0, 0, 0], [0, 0, 0]]]
    assert colours(values, RAMP).tolist() == expected


def test_what_is_not_known_is_grey() -> None:
    assert colours(torch.tensor([[nan]]), RAMP).flatten().tolist() == pytest.approx(UNKNOWN)


@pytest.mark.parametrize("ramp", [HEAT, WATER])
def test_more_is_darker(ramp: Ramp) -> None:
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    luminance = (colours(torch.linspace(0, 1, 50).view(1, -1), ramp) * weights).sum(0)[0]
    assert (luminance.diff() < 0).all()


def heat_map(height: int = 2, width: int = 2, note: str = "note", **options: bool) -> HeatMap:
    values = torch.zeros(height, width)
    values[0, 0] = 4
    return HeatMap("Heading", note, values, 4.0, [(4.0, "4"), (0.0, "0"), (1.0, "1 = even")], **options)


def drawn(*maps: HeatMap) -> Image.Image:
    return draw_heat_maps("title", maps)


def test_cells_are_flat_and_stand_where_they_do_in_the_map() -> None:
    sheet = np.array(drawn(heat_map()))
    bottom, left, half = sheet.shape[0] - 20, 20, SIDE // 2
    strongest, none = ([round(255 * value) for value in colour] for colour in (HEAT[-1], HEAT[0]))
    assert (sheet[bottom - SIDE : bottom - half, left : left + half] == strongest).all()
    assert (sheet[bottom - half : bottom, left : left + SIDE] == none).all()
    assert (sheet[bottom - SIDE : bottom, left + half : left + SIDE] == none).all()


@pytest.mark.parametrize("cells", [5, 9, 32])
def test_cells_that_do_not_divide_the_space_stay_in_the_middle(cells: int) -> None:
    values = torch.zeros(cells, cells)
    values[cells // 4 : -(cells // 4), cells // 4 : -(cells // 4)] = 4
    sheet = np.array(drawn(HeatMap("Heading", "note", values, 4.0, [(4.0, "4")])))
    map_ = sheet[-20 - SIDE : -20, 20 : 20 + SIDE]
    assert (map_[SIDE // 2, SIDE // 2] != map_[0, 0]).any()
    assert (map_ == map_[::-1]).all()
    assert (map_ == map_[:, ::-1]).all()


def test_the_bar_runs_from_the_end_of_the_scale_down_to_zero() -> None:
    sheet = np.array(drawn(heat_map()))
    bar = sheet[sheet.shape[0] - 20 - SIDE : -20, 20 + SIDE + 12 + 7]
    assert bar[0].tolist() == [round(255 * value) for value in HEAT[-1]]
    assert bar[-1].tolist() == [round(255 * value) for value in HEAT[0]]


def test_three_maps_are_at_most_1600_pixels_wide() -> None:
    maps = [heat_map(note="word " * 300), heat_map(1, 50), heat_map(50, 1, boxed=True)]
    sheet = drawn(*maps)
    assert sheet.width <= 1600
    assert sheet.height <= 3000
    edges = np.array(sheet)
    for edge in (edges[:10], edges[-10:], edges[:, :10], edges[:, -10:]):
        assert (edge == 255).all()


def test_the_box_is_the_middle_half() -> None:
    plain, boxed = (np.array(drawn(heat_map(boxed=boxed))).astype(int) for boxed in (False, True))
    rows, columns, _ = np.nonzero(plain != boxed)
    top, left, quarter = plain.shape[0] - 20 - SIDE, 20, SIDE // 4
    assert (rows.min() - top, rows.max() - top) == (quarter, 3 * quarter - 1)
    assert (columns.min() - left, columns.max() - left) == (quarter, 3 * quarter - 1)


def test_numbers_are_not_written_over_each_other() -> None:
    values = torch.ones(2, 2)
    many = [(1.02, "1.0 x"), (0.0, "0"), (1.0, "1 = even"), (0.5, "0.5")]
    few = [(1.02, "1.0 x"), (0.0, "0"), (0.5, "0.5")]
    sheets = [drawn(HeatMap("Heading", "note", values, 1.02, ticks)) for ticks in (many, few)]
    assert sheets[0].tobytes() == sheets[1].tobytes()
