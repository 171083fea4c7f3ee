"""Objects tiled over in a whole batch: by hand, and as a loop over the pixels does it."""

import pytest
import torch
from torch import Tensor

from trainables.data.backgrounds import blend, has_background, tiled_backgrounds


def object_in(top: int, bottom: int, left: int, right: int, height: int = 4, width: int = 5) -> Tensor:
    object_HW = torch.zeros(height, width)
    object_HW[top:bottom, left:right] = 1
    return object_HW


def numbered(num: int, height: int = 4, width: int = 5) -> Tensor:
    """Images of one channel in which the pixel in row y and column x of image i is 100 i + 10 y + x."""
    image_HW = 10.0 * torch.arange(height)[:, None] + torch.arange(width)
    return (100.0 * torch.arange(num)[:, None, None] + image_HW).unsqueeze(1)


def in_a_loop(image_CHW: Tensor, object_HW: Tensor) -> Tensor | None:
    """The same with one image and one pixel at a time; None where there is nothing to tile with."""
    height, width = object_HW.shape
    pixels = [(y, x) for y in range(height) for x in range(width) if object_HW[y, x] > 0]
    if not pixels:
        return None
    top, bottom = min(y for y, _ in pixels), max(y for y, _ in pixels) + 1
    left, right = min(x for _, x in pixels), max(x for _, x in pixels) + 1
    strips = [(0, top, 0, width), (bottom, height, 0, width), (0, height, 0, left), (0, height, right, width)]
    areas = [(strip[1] - strip[0]) * (strip[3] - strip[2]) for strip in strips]
    if not max(areas):
        return None
    first_y, last_y, first_x, last_x = strips[areas.index(max(areas))]
    tiled_CHW = image_CHW.clone()
    for y in range(top, bottom):
        for x in range(left, right):
            shown_y, shown_x = y, x
            while not first_y <= shown_y < last_y:
                shown_y += last_y - first_y if shown_y < first_y else first_y - last_y
            while not first_x <= shown_x < last_x:
                shown_x += last_x - first_x if shown_x < first_x else first_x - last_x
            tiled_CHW[:, y, x] = image_CHW[:, shown_y, shown_x]
    return tiled_CHW


def test_a_tiled_background_by_hand() -> None:
    """The box is rows 1 and 2, columns 1 and 2; the largest strip, of 8 pixels, is right of it.

    Its columns 3 and 4 are repeated to the left, so that column 2 shows column 4, and column 1 column 3.
    """
    object_HW = object_in(1, 2, 1, 2) + object_in(2, 3, 2, 3)
    expected = [[0, 1, 2, 3, 4], [10, 13, 14, 13, 14], [20, 23, 24, 23, 24], [30, 31, 32, 33, 34]]
    assert tiled_backgrounds(numbered(1), object_HW.unsqueeze(0))[0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ((3, 9, 2, 8), 2),  # Of 30 pixels above, 10 below, 20 left and 20 right: row 3 shows row 0 of 3.
        ((1, 6, 2, 8), 92),  # Below: row 1 shows row 9 of 6 to 9.
        ((1, 9, 4, 8), 10),  # Left: column 4 shows column 0 of 4.
        ((1, 9, 2, 5), 17),  # Right: column 2 shows column 7 of 5 to 9.
        ((2, 8, 2, 8), 2),  # All have 20 pixels. The first is above: row 2 shows row 0 of 2.
        ((0, 10, 0, 9), 9),  # Right alone: column 0 shows column 9.
    ],
)
def test_the_largest_strip_is_shown(box: tuple[int, int, int, int], shown: int) -> None:
    """What the first pixel of the box shows, of 10 x 10 pixels."""
    object_HW = object_in(*box, height=10, width=10)
    assert tiled_backgrounds(numbered(1, 10, 10), object_HW.unsqueeze(0))[0, 0, box[0], box[2]] == shown


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_is_tiled_as_a_loop_does_it(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images_BCHW = torch.rand(40, 3, 6, 7, generator=generator, dtype=torch.float64)
    object_BHW = torch.rand(40, 6, 7, generator=generator)
    object_BHW = object_BHW * (object_BHW > torch.linspace(0.5, 1, 40).view(-1, 1, 1))
    expected = [in_a_loop(*pair) for pair in zip(images_BCHW, object_BHW, strict=True)]
    can_lend_B = has_background(object_BHW)
    assert can_lend_B.tolist() == [each is not None for each in expected]
    assert 5 < can_lend_B.sum() < 35
    for tiled_CHW, image_CHW, each in zip(
        tiled_backgrounds(images_BCHW, object_BHW), images_BCHW, expected, strict=True
    ):
        assert torch.equal(tiled_CHW, image_CHW if each is None else each)


def test_a_tiled_background_shows_nothing_of_the_object() -> None:
    object_BHW = torch.stack([object_in(1, 3, 1, 3), 0.01 * object_in(0, 2, 2, 5)])
    images_BCHW = numbered(2)
    changed_BCHW = torch.where(object_BHW.unsqueeze(1) > 0, -1.0, images_BCHW)
    assert torch.equal(tiled_backgrounds(changed_BCHW, object_BHW), tiled_backgrounds(images_BCHW, object_BHW))
    assert torch.equal(images_BCHW, numbered(2))


def test_an_object_from_edge_to_edge_and_none_have_no_background_to_show() -> None:
    object_BHW = torch.stack([object_in(0, 1, 0, 1) + object_in(3, 4, 4, 5), object_in(0, 0, 0, 0)])
    assert has_background(object_BHW).tolist() == [False, False]
    assert torch.equal(tiled_backgrounds(numbered(2), object_BHW), numbered(2))


def test_blend_mixes_by_the_share() -> None:
    images_BCHW = torch.tensor([0.25, 0.5, 1.0]).expand(2, 3, 1, 3)
    share_BHW = torch.tensor([0.0, 1.0, 0.5]).expand(2, 1, 3)
    assert blend(images_BCHW, 0.0, share_BHW)[1, 2, 0].tolist() == [0.25, 0, 0.5]
    assert blend(images_BCHW, torch.full((2, 3, 1, 3), 0.75), share_BHW)[0, 0, 0].tolist() == [0.25, 0.75, 0.875]
