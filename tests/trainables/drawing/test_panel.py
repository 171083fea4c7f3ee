"""What a panel shows, read back from its pixels."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from trainables.drawing import draw_panel
from trainables.drawing.panel import DIMMED, GAP, LEGEND_WIDTH, MARGIN, MAX_CELL, MIN_CELL

IMAGE = torch.full((3, 40, 40), 0.5)
MAPS = torch.zeros(4, 4, 4)
MAPS[1, 0, 0], MAPS[1, 3, 3], MAPS[2, 0, 3] = 2.0, -2.0, 1.0


def panel(image: Tensor = IMAGE, background: Tensor | None = None, maps: Tensor = MAPS, rivals: int = 2) -> Image.Image:
    return draw_panel(image, background, maps, title="a title", rivals=[(k, f"0 vs {k}") for k in range(1, rivals + 1)])


def cells(image: Image.Image, num_cells: int, *, width: int = MIN_CELL, height: int = MIN_CELL) -> list[Tensor]:
    """Cut the cells out of a panel, as height, width, colour in [0, 1]."""
    top = image.height - MARGIN - height
    pixels = torch.from_numpy(np.array(image)) / 255
    lefts = [MARGIN + position * (width + GAP) for position in range(num_cells)]
    return [pixels[top : top + height, left : left + width] for left in lefts]


def redness(cell: Tensor, row: float, column: float) -> float:
    """Red minus blue at a place given in shares of the cell."""
    pixel = cell[int(row * cell.shape[0]), int(column * cell.shape[1])]
    return float(pixel[0] - pixel[2])


def test_mode_and_width_follow_the_number_of_cells() -> None:
    for rivals in (0, 1, 3):
        drawn = panel(rivals=rivals)
        assert drawn.mode == "RGB"
        assert drawn.width == 2 * MARGIN + (2 + rivals) * (MIN_CELL + GAP) + LEGEND_WIDTH


def test_positive_is_red_negative_is_blue_and_zero_is_grey() -> None:
    _, _, first, second = cells(panel(), 4)
    assert redness(first, 0.05, 0.05) > 0.5
    assert redness(first, 0.95, 0.95) < -0.4
    assert redness(first, 0.05, 0.95) == pytest.approx(0, abs=0.01)
    assert redness(second, 0.05, 0.95) > 0.2


def test_all_maps_share_one_scale() -> None:
    _, _, first, second = cells(panel(), 4)
    assert redness(second, 0.05, 0.95) == pytest.approx(redness(first, 0.05, 0.05) / 2, abs=0.02)


@pytest.mark.parametrize("side", [50, 250, 500])
def test_an_object_in_the_middle_is_drawn_in_the_middle(side: int) -> None:
    background = torch.ones(side, side)
    background[side // 5 : -(side // 5), side // 5 : -(side // 5)] = 0
    shown = {50: 200, 250: 250, 500: MAX_CELL}[side]
    _, dimmed, *_ = cells(panel(torch.full((3, side, side), 0.5), background), 4, width=shown, height=shown)
    assert dimmed.min() < dimmed.max()
    for side_to_turn in (0, 1):
        assert (dimmed - dimmed.flip(side_to_turn)).abs().max() <= 1.01 / 255  # The image's own rounding.


def test_the_input_is_shown_as_it_is_and_its_background_dimmed() -> None:
    image = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    background = torch.ones(40, 40)
    background[:20] = 0
    shown, dimmed, *_ = cells(panel(image, background), 4)
    expected = image.repeat_interleave(4, 1).repeat_interleave(4, 2).permute(1, 2, 0)
    torch.testing.assert_close(shown, expected, rtol=0, atol=0.003)
    torch.testing.assert_close(dimmed[:80], expected[:80], rtol=0, atol=0.003)
    torch.testing.assert_close(dimmed[80:], expected[80:] * DIMMED, rtol=0, atol=0.003)


def test_without_a_mask_the_second_cell_holds_words_only() -> None:
    _, empty, *_ = cells(panel(torch.rand(3, 40, 40)), 4)
    assert empty[0, 0].tolist() == empty[-1, -1].tolist()
    assert empty[70:90].std() > 0


@pytest.mark.parametrize(
    ("size", "cell"),
    [((48, 48), (192, 192)), ((224, 224), (224, 224)), ((100, 150), (200, 300)), ((672, 336), (336, 168))],
)
def test_small_images_are_enlarged_by_whole_numbers_and_large_ones_reduced(
    size: tuple[int, int], cell: tuple[int, int]
) -> None:
    drawn = panel(torch.rand(3, *size))
    height, width = cell
    assert drawn.width == 2 * MARGIN + 4 * (width + GAP) + LEGEND_WIDTH
    assert cells(drawn, 4, width=width, height=height)[3].shape == (height, width, 3)


def test_words_are_written_in_the_caption_and_wrapped_where_long() -> None:
    short = draw_panel(IMAGE, None, MAPS, title="t", rivals=[(1, "0 vs 1")])
    long = draw_panel(IMAGE, None, MAPS, title="t", rivals=[(1, "american pit bull terrier vs " * 4)])
    assert long.width == short.width
    assert long.height > short.height


def test_maps_of_nothing_but_zeros_are_grey() -> None:
    _, _, cell, _ = cells(panel(maps=torch.zeros(4, 4, 4)), 4)
    assert float((cell.amax(2) - cell.amin(2)).max()) == 0
    assert float(cell.max() - cell.min()) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": torch.zeros(2, 40, 40)}, r"image has the shape \(2, 40, 40\); expected 3,H,W or 1,H,W"),
        ({"background": torch.zeros(4, 4)}, r"background has the shape \(4, 4\); expected \(40, 40\)"),
        ({"maps": torch.zeros(4, 4)}, r"maps have the shape \(4, 4\); expected K,H,W"),
        ({"rivals": 4}, r"rival 4 \('0 vs 4'\) is no class; expected 0 to 3"),
    ],
)
def test_wrong_arguments_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        panel(**changes)  # type: ignore[arg-type]
