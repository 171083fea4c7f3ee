import pytest
import torch
from torch import Tensor

from trainables.data.box import Box
from trainables.evaluations.cutouts import (
    adjacent_tile,
    bounding_box,
    box_masks,
    can_tile_components,
    component_tiles,
    tile_over,
    tiled_components,
)


def object_of(*pixels: tuple[int, int], height: int = 4, width: int = 5) -> Tensor:
    object_HW = torch.zeros(height, width)
    for row, column in pixels:
        object_HW[row, column] = 1
    return object_HW


def numbered(height: int, width: int) -> Tensor:
    """One channel in which the pixel in row y and column x is 10 y + x."""
    return (10.0 * torch.arange(height)[:, None] + torch.arange(width)).unsqueeze(0)


def test_the_bounding_box_holds_every_pixel_of_the_object() -> None:
    assert bounding_box(object_of((1, 3), (2, 1))) == Box(top=1, bottom=3, left=1, right=4)
    assert bounding_box(object_of((0, 0), (3, 4))) == Box(0, 4, 0, 5)
    assert bounding_box(object_of((3, 4))) == Box(3, 4, 4, 5)


def test_a_pixel_with_any_object_belongs_to_the_box() -> None:
    object_HW = object_of((1, 1))
    object_HW[2, 3] = 0.01
    assert bounding_box(object_HW) == Box(1, 3, 1, 4)


def test_without_an_object_there_is_no_box() -> None:
    assert bounding_box(torch.zeros(4, 5)) is None


def test_a_tile_is_continued_periodically() -> None:
    """The columns 3 and 4 are repeated to the left, so that column 2 shows column 4, and column 1 column 3."""
    image_1HW = numbered(3, 5)
    tiled_1HW = tile_over(image_1HW, Box(0, 2, 0, 3), Box(0, 3, 3, 5))
    assert tiled_1HW[0].tolist() == [[4, 3, 4, 3, 4], [14, 13, 14, 13, 14], [20, 21, 22, 23, 24]]


def test_a_tile_above_is_continued_downwards() -> None:
    """Rows 0 and 1 are repeated below: row 2 shows row 0, row 3 row 1, row 4 row 0."""
    tiled_1HW = tile_over(numbered(6, 3), Box(2, 5, 1, 2), Box(0, 2, 0, 3))
    assert tiled_1HW[0, :, 1].tolist() == [1, 11, 1, 11, 1, 51]
    assert tiled_1HW[0, :, 0].tolist() == [0, 10, 20, 30, 40, 50]


class TestComponents:
    """The tiling of Hard ImageNet: an object-sized box next to each connected component."""

    def test_pixels_that_touch_at_a_corner_are_two(self) -> None:
        assert component_tiles(object_of((1, 1), (2, 2))) == [
            (Box(1, 2, 1, 2), Box(0, 1, 1, 2)),
            (Box(2, 3, 2, 3), Box(1, 2, 2, 3)),
        ]
        assert [box for box, _ in component_tiles(object_of((1, 1), (1, 2), (2, 2)))] == [Box(1, 3, 1, 3)]

    @pytest.mark.parametrize(
        ("others", "expected"),
        [
            ([], Box(4, 6, 3, 6)),  # One row above, all of the box's size below, left and right.
            ([(5, 3)], Box(2, 4, 0, 3)),  # One row below.
            ([(5, 3), (3, 2)], Box(2, 4, 6, 9)),  # Nothing is left of it.
            ([(5, 3), (3, 1), (2, 7)], Box(1, 2, 3, 6)),  # One column left, one right; of three in a row the first.
            ([(1, 5), (4, 4), (3, 2), (2, 6)], None),
            ([(0, 0), (4, 2), (1, 6)], Box(4, 6, 3, 6)),  # What lies beyond a corner is in no tile.
        ],
    )
    def test_a_tile_ends_at_the_image_and_before_other_objects(
        self, others: list[tuple[int, int]], expected: Box | None
    ) -> None:
        """The box has the rows 2 and 3 and the columns 3 to 5 of 8 x 9 pixels, of which row 0 is object."""
        box = [(row, column) for row in (2, 3) for column in (3, 4, 5)]
        object_HW = object_of(*box, *others, *((0, column) for column in range(3, 6)), height=8, width=9)
        assert adjacent_tile(Box(2, 4, 3, 6), object_HW) == expected

    def test_by_hand(self) -> None:
        """Each of the two shows the row above itself."""
        object_HW = object_of((1, 1), (1, 3), (1, 4), (2, 3), (2, 4))
        components = [[0, 1, 2, 3, 4], [10, 1, 12, 3, 4], [20, 21, 22, 3, 4], [30, 31, 32, 33, 34]]
        assert tiled_components(numbered(4, 5), object_HW)[0].tolist() == components

    @pytest.mark.parametrize("seed", range(20))
    def test_nothing_of_any_object_is_left(self, seed: int) -> None:
        object_HW = (torch.rand(12, 15, generator=torch.Generator().manual_seed(seed)) < 0.15).float()
        assert can_tile_components(object_HW)
        image_1HW = numbered(12, 15)
        tiled_1HW = tiled_components(torch.where(object_HW > 0, -1.0, image_1HW), object_HW)
        assert tiled_1HW.min() >= 0
        assert torch.equal(tiled_1HW, tiled_components(image_1HW, object_HW))
        boxes_HW = torch.zeros(12, 15, dtype=torch.bool)
        for box, _ in component_tiles(object_HW):
            boxes_HW[box.slices] = True
        assert torch.equal(tiled_1HW[0, ~boxes_HW], image_1HW[0, ~boxes_HW])

    def test_an_object_with_nothing_next_to_it_has_no_tile(self) -> None:
        full_HW = torch.ones(4, 5)
        assert component_tiles(full_HW) == [(Box(0, 4, 0, 5), None)]
        assert not can_tile_components(full_HW)
        assert not can_tile_components(torch.zeros(4, 5))
        with pytest.raises(ValueError, match=r"no background to tile with next to Box\(top=0, bottom=4"):
            tiled_components(numbered(4, 5), full_HW)


def test_box_masks_are_one_inside_the_boxes() -> None:
    object_BHW = torch.stack([object_of((0, 0), (1, 1)), object_of((3, 4)), torch.zeros(4, 5)])
    object_BHW[0, 1, 1] = 0.5
    masks_BHW = box_masks(object_BHW)
    assert masks_BHW[0].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert masks_BHW[1].nonzero().tolist() == [[3, 4]]
    assert masks_BHW[2].sum() == 0
    assert set(masks_BHW.unique().tolist()) == {0, 1}
