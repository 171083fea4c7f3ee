import pytest
import torch

from trainables.evaluations.concepts.cards import Crop, best_crops
from trainables.evaluations.concepts.class_table import MAX_CLASSES, classes_with_images, draw_table, headings
from trainables.evaluations.concepts.concepts import Concepts

ACTIVATIONS = torch.tensor([[[0.0, 0.2]], [[0.0, 0.0]], [[0.7, 0.1]], [[0.2, 0.0]]], dtype=torch.float64)
"""Four images of a map of one row."""


def test_each_image_has_one_crop_at_its_strongest_cell() -> None:
    assert best_crops(ACTIVATIONS) == [Crop(2, 0, 0, 0.7), Crop(0, 0, 1, 0.2), Crop(3, 0, 0, 0.2)]
    assert best_crops(ACTIVATIONS, 1) == [Crop(2, 0, 0, 0.7)]
    assert best_crops(torch.zeros(2, 3, 3)) == []


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [(0, 0, (0, 4, 0, 10)), (2, 1, (3, 7, 4, 14)), (4, 3, (6, 10, 14, 24)), (2, 2, (3, 7, 10, 20))],
)
def test_a_crop_lies_around_its_cell_and_within_the_image(row: int, column: int, expected: tuple[int, ...]) -> None:
    """A cell has 2 rows and 6 columns of pixels, a crop 4 rows and 10 columns."""
    assert Crop(0, row, column, 1.0).box((5, 4), (10, 24)) == expected


def concepts_of(by_class: list[list[float]], object_share: list[float], area: float) -> Concepts:
    num = len(object_share)
    return Concepts(
        head_JK=torch.zeros(num, len(by_class), dtype=torch.float64),
        importance_J=torch.arange(num, 0, -1).double(),
        by_class_KJ=torch.tensor(by_class, dtype=torch.float64),
        amounts_KJ=torch.zeros(len(by_class), num, dtype=torch.float64),
        object_share_J=torch.tensor(object_share, dtype=torch.float64),
        object_area=area,
        stability_J=torch.ones(num, dtype=torch.float64),
    )


def test_concepts_of_the_background_are_marked() -> None:
    nan = torch.nan
    concepts = concepts_of([[1.0, 2.0, 3.0], [nan, nan, nan], [0.0, -1.0, 0.0]], [0.5, 0.49, 0.9], 0.4)
    assert headings(concepts) == ["1", "2 bg", "3"]
    assert classes_with_images(concepts) == [0, 2]
    assert concepts.shares.tolist() == [3 / 6, 2 / 6, 1 / 6]
    assert headings(concepts_of([[1.0, 2.0]], [nan, nan], nan)) == ["1", "2"]


def test_the_table_has_a_row_for_each_class_with_images_up_to_a_limit() -> None:
    def height(num_classes: int) -> int:
        concepts = concepts_of([[1.0, -2.0]] * num_classes, [0.5, 0.3], 0.4)
        return draw_table(concepts, [f"class {k}" for k in range(num_classes)]).height

    assert height(MAX_CLASSES) - height(1) == (MAX_CLASSES - 1) * 24
    assert height(1000) == height(MAX_CLASSES)


def test_the_table_is_red_where_a_concept_speaks_for_a_class_and_blue_where_against() -> None:
    table = draw_table(concepts_of([[1.0, -1.0, 0.0]], [0.5, 0.3, 0.4], 0.4), ["cat"])
    top = table.height - 20 - 3 * 24
    colours = [table.getpixel((20 + 170 + column * 62 + 3, top + 3)) for column in range(3)]
    (red, _, blue), (red_against, _, blue_against), neither = colours  # type: ignore[misc]
    assert red > blue
    assert red_against < blue_against
    assert neither == (255, 255, 255)
