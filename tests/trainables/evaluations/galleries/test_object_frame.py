from math import nan

import pytest
import torch
from torch import Tensor

from trainables.data.box import Box
from trainables.evaluations.galleries.object_frame import align, in_box

COUNT = torch.arange(16.0).view(4, 4)


def test_a_box_in_the_middle_has_the_whole_image_as_its_frame() -> None:
    frame = align([(COUNT, Box(1, 3, 1, 3))], (4, 4), 4)
    assert torch.equal(frame.total_GG, COUNT.double())
    assert frame.reach_GG.tolist() == [[1.0] * 4] * 4


def test_what_is_not_in_the_image_is_left_out() -> None:
    """The frame's first row and column are not in the image, the rest is the image's first three."""
    frame = align([(COUNT, Box(0, 2, 0, 2))], (4, 4), 4)
    assert frame.mean(0.0).tolist() == [
        pytest.approx(row, nan_ok=True)
        for row in ([nan] * 4, [nan, 0.0, 1.0, 2.0], [nan, 4.0, 5.0, 6.0], [nan, 8.0, 9.0, 10.0])
    ]


def test_a_coarse_map_is_constant_in_its_cells() -> None:
    frame = align([(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), Box(1, 3, 1, 3))], (4, 4), 4)
    assert frame.total_GG.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_a_cell_gets_the_mean_over_its_area_in_the_image() -> None:
    """Three of four rows are the box, so the frame is 6 rows from -1.5, a cell 1.5 rows.

    The cells hold nothing, rows 0 to 1.5, 1.5 to 3, and 3 to 4.5, of which two thirds are in the image; the four
    columns are those of the image.
    """
    rows = torch.tensor([[0.0], [3.0], [6.0], [9.0]]).expand(4, 4)
    frame = align([(rows, Box(0, 3, 1, 3))], (4, 4), 4)
    assert frame.reach_GG[:, 0].tolist() == pytest.approx([0, 1, 1, 2 / 3])
    assert frame.mean(0.0)[:, 0].tolist() == pytest.approx(
        [nan, (0 + 0.5 * 3) / 1.5, (0.5 * 3 + 6) / 1.5, 9], nan_ok=True
    )


def test_boxes_of_any_place_size_and_shape_are_laid_over_each_other() -> None:
    """Two objects are where all of the influence is, one a square in the corner and one a bar."""
    maps = []
    for box in (Box(0, 2, 0, 2), Box(3, 5, 2, 6)):
        map_ = torch.zeros(8, 8)
        map_[box.slices] = 1
        maps.append((map_, box))
    frame = align(maps, (8, 8), 8)
    inside = in_box(8)
    assert inside.nonzero().amin(0).tolist() == [2, 2]
    assert inside.nonzero().amax(0).tolist() == [5, 5]
    assert frame.mean(0.0)[inside].tolist() == [1.0] * 16
    assert frame.mean_of(inside) == 1
    assert frame.mean_of(~inside) == 0
    assert frame.reach_GG.tolist()[0][0] == 1  # The bar's frame alone reaches there.


def test_a_cell_is_shown_where_enough_images_reach() -> None:
    maps = [(COUNT, Box(0, 2, 0, 2)), (COUNT, Box(1, 3, 1, 3)), (COUNT + 16, Box(1, 3, 1, 3))]
    frame = align(maps, (4, 4), 4)
    assert frame.reach_GG[0, 0] == 2
    assert frame.reach_GG[1, 1] == 3
    assert frame.mean(2.0)[0, 0] == (0 + 16) / 2
    assert frame.mean(2.5)[0, 0].isnan()
    assert frame.mean(2.5)[1, 1] == pytest.approx((0 + 5 + 21) / 3)


def test_an_object_as_large_as_the_image_has_nothing_around_it() -> None:
    frame = align([(COUNT, Box(0, 4, 0, 4))], (4, 4), 8)
    assert torch.equal(frame.mean(0.0)[2:6, 2:6], COUNT.double())
    assert frame.mean_of(~in_box(8)) == pytest.approx(nan, nan_ok=True)


def _by_loops(map_HW: Tensor, box: Box, size: tuple[int, int], grid: int) -> tuple[Tensor, Tensor]:
    total, reach = torch.zeros(2, grid, grid, dtype=torch.float64)
    height, width = 2 * (box.bottom - box.top) / grid, 2 * (box.right - box.left) / grid
    top, left = box.top - (box.bottom - box.top) / 2, box.left - (box.right - box.left) / 2
    for i in range(grid):
        for j in range(grid):
            for y in range(map_HW.shape[0]):
                for x in range(map_HW.shape[1]):
                    rows = min(top + (i + 1) * height, (y + 1) * size[0] / map_HW.shape[0]) - max(
                        top + i * height, y * size[0] / map_HW.shape[0]
                    )
                    columns = min(left + (j + 1) * width, (x + 1) * size[1] / map_HW.shape[1]) - max(
                        left + j * width, x * size[1] / map_HW.shape[1]
                    )
                    share = max(rows, 0) * max(columns, 0) / (height * width)
                    total[i, j] += share * map_HW[y, x].double()
                    reach[i, j] += share
    return total, reach


@pytest.mark.parametrize("box", [Box(0, 1, 0, 1), Box(2, 9, 3, 5), Box(0, 10, 0, 7), Box(9, 10, 1, 7)])
def test_it_equals_loops_over_all_pairs_of_cells(box: Box) -> None:
    map_ = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    frame = align([(map_, box)], (10, 7), 8)
    total, reach = _by_loops(map_, box, (10, 7), 8)
    torch.testing.assert_close(frame.total_GG, total)
    torch.testing.assert_close(frame.reach_GG, reach)
