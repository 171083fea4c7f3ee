"""Objects before scenes, by value, and scenes without their objects.

H W image height and width, C channels.
"""

import numpy as np
import pytest

from trainables.data.compositing import composite, covering, mean_colour, shrunk, soft_edge, without_object
from trainables.data.file_reader import Pixels


def stripes(columns: list[int], height: int = 4) -> Pixels:
    """Return a grey image of columns."""
    return np.repeat(np.repeat(np.array([[columns]], dtype=np.uint8), height, axis=1)[0][..., None], 3, axis=2)


def test_a_share_mixes_front_and_back() -> None:
    share_HW = np.array([[0, 0.25, 0.5, 1]])
    mixed_HWC = composite(stripes([200] * 4, 1), share_HW, stripes([100] * 4, 1))
    assert mixed_HWC[0, :, 0].tolist() == [100, 125, 150, 200]
    assert mixed_HWC.dtype == np.uint8


def test_an_edge_without_a_blur_stays() -> None:
    share_HW = np.array([[0, 0.5, 1]])
    assert soft_edge(share_HW, 0).tolist() == [[0, 0.5, 1]]


def test_an_edge_fades_inwards() -> None:
    """A straight edge: the blur is 1/2 between the fourth and the fifth pixel, and symmetric about it."""
    object_HW = np.repeat([[0.0] * 8 + [1.0] * 8], 16, axis=0)
    faded_W = soft_edge(object_HW, 1.0)[8]
    assert (faded_W[:8] == 0).all()
    weights = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    weights /= weights.sum()
    expected = [2 * weights[4 - inside :].sum() - 1 for inside in range(4)]
    assert faded_W[8:12] == pytest.approx(expected)
    assert faded_W[12:] == pytest.approx(np.ones(4))


def test_a_thin_object_does_not_fade_away() -> None:
    """In the middle of a line of two pixels b is 0.64, so that 0.28 of it would be left."""
    object_HW = np.repeat([[0.0] * 7 + [1.0] * 2 + [0.0] * 7], 16, axis=0)
    assert soft_edge(object_HW, 1.0).tolist() == object_HW.tolist()


def test_only_a_larger_image_is_shrunk() -> None:
    assert shrunk(stripes([0] * 40, 20), 10).shape == (10, 20, 3)
    assert shrunk(stripes([0] * 40, 20), 30).shape == (20, 40, 3)
    assert shrunk(stripes([0] * 40, 20), None).shape == (20, 40, 3)


@pytest.mark.parametrize(("place", "columns"), [(0.0, [0, 1]), (0.5, [1, 2]), (1.0, [2, 3])])
def test_a_scene_of_the_right_height_is_cut(place: float, columns: list[int]) -> None:
    assert covering(stripes([0, 1, 2, 3], 2), (2, 2), place)[0, :, 0].tolist() == columns


def test_a_scene_is_resized_alike_in_both_directions() -> None:
    """To 4 x 4 pixels it is doubled, of which the middle 4 of 8 columns stay."""
    scene_HWC = np.zeros((2, 4, 3), dtype=np.uint8)
    scene_HWC[:, 2:] = 200
    part_HWC = covering(scene_HWC, (4, 4), 0.5)
    assert part_HWC.shape == (4, 4, 3)
    assert part_HWC[0, 0, 0] < 20
    assert part_HWC[0, 3, 0] > 180


class TestWithoutObject:
    def test_nothing_changes_without_an_object(self) -> None:
        pixels_HWC = stripes([1, 2, 3])
        assert without_object(pixels_HWC, np.zeros((4, 3), dtype=np.bool_)) is pixels_HWC

    def test_an_object_on_a_plain_background_vanishes(self) -> None:
        pixels_HWC, object_HW = np.full((60, 60, 3), 80, dtype=np.uint8), np.zeros((60, 60), dtype=np.bool_)
        object_HW[20:40, 25:35] = True
        pixels_HWC[object_HW] = 255
        filled_HWC = without_object(pixels_HWC, object_HW)
        assert filled_HWC is not None
        assert (filled_HWC == 80).all()

    def test_each_side_is_mirrored_into_the_hole(self) -> None:
        """The hole is 6 columns wide, the rim included, over all rows, so that its left and right sides fill it.

        Column x shows `(5 - d)` of the left side and `(6 + d)` of the right, where d is its distance from the side.
        """
        pixels_HWC, object_HW = stripes([10 * column for column in range(26)], 8), np.zeros((8, 26), dtype=np.bool_)
        object_HW[:, 13:15] = True  # 10 to 18 with the rim.
        filled_HWC = without_object(pixels_HWC, object_HW)
        assert filled_HWC is not None
        left, right = [90, 80, 70, 60, 50, 40, 30, 20], [250, 240, 230, 220, 210, 200, 190, 180]
        weights = [((10 / (away + 0.5)) ** 6, (8 / (7.5 - away)) ** 6) for away in range(8)]
        expected = [
            round((own * near + other * far) / (near + far))
            for own, other, (near, far) in zip(left, right, weights, strict=True)
        ]
        assert filled_HWC[4, 10:18, 0].tolist() == expected
        assert expected[0] == 90
        assert expected[-1] == 180

    def test_pixels_outside_the_box_with_its_rim_stay(self) -> None:
        pixels_HWC = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
        object_HW = np.zeros((60, 60), dtype=np.bool_)
        object_HW[30, 30] = True
        filled_HWC = without_object(pixels_HWC, object_HW)
        assert filled_HWC is not None
        changed_HW = (filled_HWC != pixels_HWC).any(2)
        rows, columns = changed_HW.nonzero()
        assert (min(rows), max(rows), min(columns), max(columns)) == (27, 33, 27, 33)

    @pytest.mark.parametrize(("left", "is_filled"), [(7, False), (8, True)])
    def test_an_eighth_of_the_image_must_be_left_on_a_side(self, left: int, is_filled: bool) -> None:
        object_HW = np.ones((64, 64), dtype=np.bool_)
        object_HW[:, : left + 3] = False
        filled_HWC = without_object(np.zeros((64, 64, 3), dtype=np.uint8), object_HW)
        assert (filled_HWC is not None) == is_filled


def test_the_mean_colour_is_in_logarithms() -> None:
    pixels_HWC = np.zeros((4, 4, 3), dtype=np.uint8)
    pixels_HWC[:2, :, 0], pixels_HWC[..., 2] = 14, 255
    assert mean_colour(pixels_HWC) == pytest.approx((np.log(8), 0, np.log(256)))
