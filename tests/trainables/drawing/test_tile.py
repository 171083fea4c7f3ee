import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from trainables.drawing.tile import draw_map, outline, tile_image


def pixels(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image).copy()).float() / 255


@pytest.mark.parametrize(
    ("height", "width", "space", "expected"),
    [
        (48, 48, 170, (144, 144)),  # Three times.
        (64, 64, 170, (128, 128)),  # Twice, which fills 0.75 of the space.
        (96, 96, 170, (170, 170)),  # Once would fill 0.56.
        (224, 224, 170, (170, 170)),
        (1, 4, 170, (42, 168)),
        (4, 1, 170, (252, 63)),  # At most 1.5 times as high as the space is wide.
        (1000, 10, 170, (255, 3)),
        (10, 1000, 170, (2, 170)),
    ],
)
def test_images_fit_into_their_space(height: int, width: int, space: int, expected: tuple[int, int]) -> None:
    assert tile_image(torch.rand(3, height, width), space).shape == (3, *expected)


def test_a_small_image_s_pixels_stay_squares() -> None:
    image = torch.rand(1, 2, 2)
    expected = image.expand(3, -1, -1).repeat_interleave(5, 1).repeat_interleave(5, 2)
    assert torch.equal(tile_image(image, 10), expected)


def test_a_resized_image_keeps_its_colours() -> None:
    image = torch.tensor([0.2, 0.4, 0.6]).view(3, 1, 1).expand(3, 96, 96)
    resized = tile_image(image, 170)
    torch.testing.assert_close(resized, image[:, :1, :1].expand_as(resized))


def test_the_outline_is_the_object_s_edge_and_not_the_image_s() -> None:
    mask = torch.tensor(
        [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]], dtype=torch.bool
    )
    expected = [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]]
    assert outline(mask).int().tolist() == expected
    assert not outline(torch.ones(3, 3, dtype=torch.bool)).any()
    assert not outline(torch.zeros(3, 3, dtype=torch.bool)).any()


def test_a_map_is_red_for_the_class_blue_for_the_rival_and_outlined() -> None:
    """The object is the left half, and its edge the column 4 of ten."""
    image, map_ = torch.full((3, 10, 10), 0.5), torch.zeros(10, 10)
    map_[:5], map_[5:] = 2.0, -2.0
    object_ = torch.zeros(10, 10)
    object_[:, :5] = 1
    drawn = pixels(draw_map(image, map_, object_))
    assert float(drawn[0, 0, 0] - drawn[0, 0, 2]) > 0.5
    assert float(drawn[9, 9, 2] - drawn[9, 9, 0]) > 0.3
    assert drawn[:, 4].max() == 0
    assert drawn[:, [3, 5]].amax(2).min() > 0.3
    without = pixels(draw_map(image, map_, None))
    assert without[:, 4].amax(1).min() > 0.3


@pytest.mark.parametrize("side", [32, 96, 250])
def test_the_outline_lies_in_the_middle_where_the_object_does(side: int) -> None:
    """Images of 170 pixels are no whole multiple of the mask, and less than one of 250."""
    object_ = torch.zeros(side, side)
    object_[side // 4 : -(side // 4), side // 4 : -(side // 4)] = 1
    drawn = pixels(draw_map(torch.full((3, 170, 170), 0.5), torch.zeros(2, 2), object_))
    assert drawn.min() == 0
    assert torch.equal(drawn, drawn.flip(0))
    assert torch.equal(drawn, drawn.flip(1))


def test_a_map_s_own_largest_value_has_the_strongest_colour() -> None:
    image, map_ = torch.full((3, 8, 8), 0.5), torch.tensor([[1e-3, -5e-4]])
    assert torch.equal(pixels(draw_map(image, map_, None)), pixels(draw_map(image, 1e6 * map_, None)))


def test_a_map_of_zeros_is_the_grey_image() -> None:
    drawn = pixels(draw_map(torch.full((3, 4, 4), 0.5), torch.zeros(2, 2), None))
    assert drawn.amax() == drawn.amin()
