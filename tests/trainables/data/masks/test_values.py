"""The values of mask files by hand: each mode and format is read right, or refused with the true reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainables.voc_tree import palette
from trainables.data.file_reader import FileReader
from trainables.data.image_file import ImageError, ImageFile
from trainables.data.masks.levels import class_values, grey_values
from trainables.data.masks.mask_format import ObjectMask
from trainables.data.masks.values import is_lit, numbers
from trainables.data.oxford_pet import trimap_background

GREY = [[0, 1, 2], [3, 4, 255]]


def image_of(values: Any, mode: str | None = None, colours: list[int] | None = None) -> Image.Image:
    image = Image.fromarray(np.array(values, dtype=np.uint8), mode)
    if colours is not None:
        image.putpalette(colours)
    return image


def rgb(*colours: tuple[int, int, int]) -> Image.Image:
    """Return a row of pixels."""
    return image_of([colours])


GREYS = [level for value in range(256) for level in (value, value, value)]


@pytest.mark.parametrize(
    "image",
    [
        image_of(GREY),
        image_of(GREY).convert("RGB"),
        image_of(GREY).convert("RGBA"),
        image_of(GREY).convert("LA"),
        image_of(GREY, "P", GREYS),
        image_of(GREY, "P", palette()),
        image_of([[0, 1, 2], [3, 4, 5]], "P", [*GREYS[:15], 255, 255, 255]),
        Image.fromarray(np.array(GREY, dtype=np.uint16)),
        Image.fromarray(np.array(GREY, dtype=np.int32)),
    ],
    ids=["L", "RGB", "RGBA", "LA", "grey palette", "VOC palette", "short palette", "16 bits", "32 bits"],
)
def test_grey_values_are_the_same_in_every_mode(image: Image.Image) -> None:
    assert grey_values(image).tolist() == GREY
    assert is_lit(image).tolist() == [[0, 1, 1], [1, 1, 1]]


def test_one_bit_is_0_and_1() -> None:
    image = Image.fromarray(np.array([[False, True]]))
    assert image.mode == "1"
    assert grey_values(image).tolist() == is_lit(image).tolist() == [[0, 1]]


def test_colours_of_voc_are_their_places() -> None:
    """(64, 0, 0) is cat, place 8; (128, 128, 128) is car, place 7, next to which it is no level of grey."""
    assert grey_values(rgb((0, 0, 0), (64, 0, 0), (128, 128, 128), (224, 224, 192))).tolist() == [[0, 8, 7, 255]]
    assert grey_values(rgb((0, 0, 0), (128, 128, 128))).tolist() == [[0, 128]]
    assert class_values(rgb((0, 0, 0), (128, 128, 128))).tolist() == [[0, 7]]
    assert class_values(image_of([[0, 7]])).tolist() == [[0, 7]]


def test_a_palette_of_voc_keeps_its_indices_also_where_all_are_grey() -> None:
    assert grey_values(image_of([[0, 7]], "P", palette())).tolist() == [[0, 7]]


@pytest.mark.parametrize("values", [grey_values, class_values])
@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (
            rgb((0, 0, 0), (1, 2, 3)),
            r"it is in colour, such as \(1, 2, 3\), so that .*; save it in grey \(mode L",
        ),
        (image_of([[0, 1]], "P", [0, 0, 0, 9, 8, 7]), r"it is in colour, such as \(9, 8, 7\)"),
        (Image.fromarray(np.array([[0, 256]], dtype=np.uint16)), r"its values go from 0 to 256 \(mode I;16\)"),
        (Image.fromarray(np.array([[0, 0.5]], dtype=np.float32)), r"its values go from 0\.0 to 0\.5 \(mode F\)"),
        (Image.fromarray(np.array([[0, -1]], dtype=np.int32)), r"its values go from -1 to 0 \(mode I\)"),
        (image_of([[[1, 255], [1, 0]]], "LA"), r"its transparency differs between pixels"),
        (image_of([[[1, 1, 1, 255], [1, 1, 1, 0]]], "RGBA"), r"its transparency differs between pixels"),
    ],
)
def test_what_has_no_grey_values_is_refused(values: Any, image: Image.Image, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"^{reason}"):
        values(image)


class TestObjects:
    def test_any_colour_but_black_is_object(self) -> None:
        assert is_lit(rgb((0, 0, 0), (0, 0, 1), (255, 255, 255))).tolist() == [[0, 1, 1]]

    def test_more_than_8_bits_are_object_too(self) -> None:
        image = Image.fromarray(np.array([[0, 1, 65535]], dtype=np.uint16))
        assert is_lit(image).tolist() == [[0, 1, 1]]

    @pytest.mark.parametrize(
        ("indices", "colours", "expected"),
        [
            ([0, 1, 2], [0, 0, 0, 9, 9, 9, 1, 0, 0], [0, 1, 1]),
            ([0, 1, 1], [255, 255, 255, 0, 0, 0], [1, 0, 0]),
            ([1, 1, 2], [5, 5, 5, 9, 9, 9, 1, 0, 0], [1, 1, 1]),
        ],
        ids=["black first", "black second", "no black in use"],
    )
    def test_a_palette_counts_by_its_colours(self, indices: list[int], colours: list[int], expected: list[int]) -> None:
        assert is_lit(image_of([indices], "P", colours)).tolist() == [expected]

    @pytest.mark.parametrize(
        ("indices", "colours", "reason"),
        [([0, 1], [0, 0, 0, 0, 0, 0], "2 colours of its"), ([0, 1], [1, 1, 1, 2, 2, 2], "no colour of its")],
    )
    def test_a_palette_that_leaves_the_background_open_is_refused(
        self, indices: list[int], colours: list[int], reason: str
    ) -> None:
        with pytest.raises(ValueError, match=f"^{reason} palette is black, so that its background is unknown"):
            is_lit(image_of([indices], "P", colours))

    @pytest.mark.parametrize("mode", ["LA", "RGBA"])
    def test_transparency_that_agrees_with_the_colours_is_no_matter(self, mode: str) -> None:
        channels = len(mode) - 1
        image = image_of([[[0] * channels + [0], [9] * channels + [255]]], mode)
        assert is_lit(image).tolist() == [[0, 1]]
        same = image_of([[[0] * channels + [0], [9] * channels + [0]]], mode)
        assert is_lit(same).tolist() == [[0, 1]]
        with pytest.raises(ValueError, match="its transparency differs between pixels and does not agree"):
            is_lit(image_of([[[9] * channels + [0], [9] * channels + [255]]], mode))


def test_numbers_of_an_optimised_palette_are_places_in_that_of_voc() -> None:
    """Cat (8) and dog (12) in the colours of PASCAL VOC, under other indices."""
    colours = palette()
    optimised = [*colours[36:39], *colours[0:3], *colours[24:27]]
    assert numbers(image_of([[0, 1, 2]], "P", optimised)).tolist() == [[12, 0, 8]]
    assert numbers(image_of([[0, 8, 12]], "P", colours)).tolist() == [[0, 8, 12]]
    assert numbers(image_of([[0, 1, 2]], "P", [0, 0, 0, 9, 8, 7, 1, 2, 3])).tolist() == [[0, 1, 2]]


TRIMAP = [[1, 2, 3]]


def read_trimap(path: Path) -> list[list[int]]:
    mask = ObjectMask(grey_values, trimap_background)
    map_HW = mask.read(ImageFile(path, path, 0, "a"), (1, 3), FileReader())
    assert map_HW is not None
    return map_HW.tolist()


@pytest.mark.parametrize(
    "image",
    [
        image_of(TRIMAP),
        image_of(TRIMAP).convert("RGB"),
        image_of(TRIMAP, "P", palette()),
        image_of([[0, 1, 2]], "P", [1, 1, 1, 2, 2, 2, 3, 3, 3]),
        image_of([[2, 0, 1]], "P", [2, 2, 2, 3, 3, 3, 1, 1, 1]),
    ],
)
def test_a_trimap_is_read_by_its_palette(tmp_path: Path, image: Image.Image) -> None:
    image.save(tmp_path / "mask.png")
    assert read_trimap(tmp_path / "mask.png") == [[0, 1, 1]]


def test_wrong_values_are_refused_with_what_the_format_does_to_them(tmp_path: Path) -> None:
    image_of([[0, 1, 2]], "P", GREYS).save(tmp_path / "mask.png")
    with pytest.raises(ImageError, match=r"has the values 0; a trimap .*; of a palette, the colours count and not"):
        read_trimap(tmp_path / "mask.png")
    image_of([[5, 5, 5]]).save(tmp_path / "mask.jpg")
    with pytest.raises(ImageError, match=r"has the values 5; a trimap .*; it is a JPEG file, and compression changes"):
        read_trimap(tmp_path / "mask.jpg")
    image_of([[0, 1, 2]]).save(tmp_path / "mask.png")
    with pytest.raises(ImageError, match=r"has the values 0; a trimap has only .* and 3 \(boundary\)$"):
        read_trimap(tmp_path / "mask.png")
