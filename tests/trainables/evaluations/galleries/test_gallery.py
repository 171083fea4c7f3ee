"""What the sheets show, read back from their pixels."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.trainables.evaluations.conftest import Images, context_of, four_images, linear_classifier
from tests.trainables.evaluations.extremes import background_reader, extreme_context, object_reader
from trainables.config import Suite
from trainables.evaluations import EvaluationResult
from trainables.evaluations.galleries import GALLERY
from trainables.models import Classifier

COLOURS = [(0.9, 0.1), (0.6, 0.1), (0.9, 0.0), (0.1, 0.9), (0.2, 0.5), (0.0, 0.9)]
"""Red and green of each image, whose difference is the margin of class 0; blue, which no class sees, numbers it."""
COVERED = [3, 1, 2, 0, 0, 4]
"""How many of the four cells are background, so that the share is a quarter of it."""


def six_images(has_mask: Sequence[bool] = (True, True, True, False, True, True)) -> Images:
    """Return images of one colour each; the first five are of class 0, of which 3 and 4 are wrong."""
    images = torch.zeros(6, 3, 2, 2)
    for index, (red, green) in enumerate(COLOURS):
        images[index] = torch.tensor([red, green, index / 10]).view(3, 1, 1)
    background = torch.tensor([[1.0] * covered + [0.0] * (4 - covered) for covered in COVERED]).view(6, 2, 2)
    return Images(images, [0, 0, 0, 0, 0, 1], background, has_mask)


def rows(sheet: Image.Image, images_NCHW: Tensor) -> list[list[int]]:
    """Return the numbers of the images that stand on a sheet, row by row."""
    pixels = np.array(sheet)
    result = []
    for index, image_CHW in enumerate(images_NCHW):
        colour = (image_CHW[:, 0, 0] * 255).round().numpy()
        mask = (pixels == colour).all(2)
        corner = mask.copy()
        corner[1:] &= ~mask[:-1]
        corner[:, 1:] &= ~mask[:, :-1]
        result += [(int(top), int(left), index) for top, left in zip(*np.nonzero(corner), strict=True)]
    return [[index for _, _, index in row] for _, row in groupby(sorted(result), key=lambda place: place[0])]


def gallery(model: Classifier, images: Images, **settings: int) -> EvaluationResult:
    return GALLERY.run(context_of(model, images, settings=Suite(images=settings)))


def test_rows_by_hand(red_or_green: Classifier) -> None:
    images = six_images()
    result = gallery(red_or_green, images)
    assert rows(result.images["red"], images._images_NCHW) == [[2, 0, 1], [3, 4], [4, 1, 2, 0]]
    assert rows(result.images["green"], images._images_NCHW) == [[5], [5]]
    assert result.metrics == {}


def test_as_many_images_a_row_as_asked(red_or_green: Classifier) -> None:
    images = six_images()
    result = gallery(red_or_green, images, gallery_images=2)
    assert rows(result.images["red"], images._images_NCHW) == [[2, 0], [3, 4], [4, 1]]


def test_without_masks_the_third_row_is_empty(red_or_green: Classifier) -> None:
    images = six_images(has_mask=[False] * 6)
    result = gallery(red_or_green, images)
    assert rows(result.images["red"], images._images_NCHW) == [[2, 0, 1], [3, 4]]
    assert result.settings["num_without_mask"] == 6


def test_a_class_without_hits_shows_its_mistakes(red_or_green: Classifier) -> None:
    images = six_images()
    images._labels_N[5] = 0
    images._labels_N[0] = 1
    result = gallery(red_or_green, images)
    assert rows(result.images["green"], images._images_NCHW) == [[0], [0]]


def test_the_map_is_of_the_label_s_class(red_or_green: Classifier) -> None:
    """Below the hits is red, below the mistakes blue; a map lies 176 pixels below its image."""
    images = six_images(has_mask=[False] * 6)
    sheet = np.array(gallery(red_or_green, images).images["red"]).astype(int)
    for index, sign in ((2, 1), (3, -1)):
        colour = (images._images_NCHW[index, :, 0, 0] * 255).round().numpy()
        top, left = np.argwhere((sheet == colour).all(2))[0]
        below = sheet[top + 170 + 6 + 85, left + 85]
        assert sign * (below[0] - below[2]) > 60


def test_the_line_lies_within_the_object(red_or_green: Classifier) -> None:
    """The object of image 2 is its lower half, of which the first row is the row 85 of 170."""
    images = six_images()
    sheet = np.array(gallery(red_or_green, images).images["red"])
    colour = (images._images_NCHW[2, :, 0, 0] * 255).round().numpy()
    top, left = np.argwhere((sheet == colour).all(2))[0]
    column = sheet[top + 176 : top + 176 + 170, left + 85].max(1)
    assert np.flatnonzero(column == 0).tolist() == [85]


def test_settings_say_what_was_chosen(red_or_green: Classifier) -> None:
    result = gallery(red_or_green, six_images(), gallery_classes=1)
    assert list(result.images) == ["red"]
    assert result.settings == {
        "seed": 0,
        "num_pictures": 6,
        "num_without_mask": 1,
        "gallery_images": 8,
        "gallery_classes": 1,
        "chosen_classes": "lowest accuracy on the sample",
        "classes_in_sample": 2,
        "classes": {"red": {"class": "red", "num_pictures": 5, "num_right": 3}},
    }


def many_classes(num: int) -> tuple[Classifier, Images]:
    """Return a network that names class 0 always, and two images of each class."""
    model = linear_classifier([[1.0, 0, 0]] + [[0.0, 0, 0]] * (num - 1))
    images = torch.full((2 * num, 3, 2, 2), 0.5)
    images = Images(images, [*range(num), *range(num)], torch.ones(2 * num, 2, 2), [True] * 2 * num)
    images.class_names = tuple(f"n{label:08d} Žluťoučký kůň" for label in range(num))  # type: ignore[assignment]
    return model, images


@pytest.mark.parametrize(("num", "expected"), [(2, 2), (37, 12), (919, 12)])
def test_many_classes_stay_bounded(num: int, expected: int) -> None:
    model, images = many_classes(num)
    result = GALLERY.run(context_of(model, images, settings=Suite(sample=2 * num)))
    assert len(result.images) == expected
    assert len(result.settings["classes"]) == expected
    first = 0 if num == 2 else 1
    assert next(iter(result.images)) == f"n{first:08d}_Zlutoucky_kun"
    assert max(sheet.width for sheet in result.images.values()) <= 1600


@pytest.mark.parametrize("size", [(512, 512), (600, 200), (200, 600)])
@pytest.mark.parametrize("gallery_images", [1, 8, 12])
def test_sheets_of_large_images_stay_bounded(
    red_or_green: Classifier, size: tuple[int, int], gallery_images: int
) -> None:
    images = Images(torch.rand(24, 3, *size), [0] * 24, torch.ones(24, *size), [True] * 24)
    images.class_names = ("Bouvier des Flandres " * 8, "Épagneul de Pont-Audemer " * 8)
    for sheet in gallery(red_or_green, images, gallery_images=gallery_images).images.values():
        assert sheet.width <= 1600
        assert sheet.height <= 3000


def test_the_same_network_draws_the_same_bytes(red_or_green: Classifier) -> None:
    one, two = (gallery(red_or_green, four_images()) for _ in range(2))
    assert {name: sheet.tobytes() for name, sheet in one.images.items()} == {
        name: sheet.tobytes() for name, sheet in two.images.items()
    }


def test_the_network_is_left_as_it_was(red_or_green: Classifier) -> None:
    gallery(red_or_green, four_images())
    assert not red_or_green.training
    assert red_or_green.head.weight.requires_grad
    assert red_or_green.head.weight.grad is None


def test_sheets_can_be_kept_under_their_names(red_or_green: Classifier, tmp_path: Path) -> None:
    images = six_images()
    images.class_names = ("../Rouge foncé", "vert/émeraude")
    for name, sheet in gallery(red_or_green, images).images.items():
        sheet.save(tmp_path / f"{name}.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Rouge_fonce.png", "vert_emeraude.png"]


def test_shares_of_opposite_networks() -> None:
    """Each is right on all images; the third row says how they differ."""
    sheets = [GALLERY.run(extreme_context(model, num=9)) for model in (background_reader(), object_reader())]
    assert [list(result.images) for result in sheets] == [["red", "green", "blue"]] * 2
    assert sheets[0].settings == sheets[1].settings
    assert sheets[0].images["red"].tobytes() != sheets[1].images["red"].tobytes()
