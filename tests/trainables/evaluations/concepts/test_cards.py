"""What the cards and the table of concepts say."""

from dataclasses import replace

import pytest
import torch

from trainables.evaluations.concepts.cards import title_of
from trainables.evaluations.concepts.class_table import (
    MAX_CLASSES,
    NOTE,
    classes_with_images,
    draw_table,
    headings,
    note_of,
)
from trainables.evaluations.concepts.description import Concepts


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


def test_a_title_has_a_share_where_any_concept_is_important() -> None:
    concepts = concepts_of([[1.0, 2.0, 3.0]], [0.5, 0.49, 0.9], 0.4)
    assert title_of(1, concepts) == "Concept 2: 33% of the importance, on the background"
    assert title_of(2, replace(concepts, importance_J=torch.zeros(3))) == "Concept 3"


def test_the_table_has_a_row_for_each_class_with_images_up_to_a_limit() -> None:
    def height(num_classes: int) -> int:
        concepts = concepts_of([[1.0, -2.0]] * num_classes, [0.5, 0.3], 0.4)
        return draw_table(concepts, [f"class {k}" for k in range(num_classes)]).height

    assert height(MAX_CLASSES) - height(1) == (MAX_CLASSES - 1) * 24
    assert height(1000) == height(MAX_CLASSES + 1)


@pytest.mark.parametrize(("num", "added"), [(40, ""), (41, " The rows are the first 40 of 41 classes with images; ")])
def test_the_note_says_how_many_classes_are_left_out(num: int, added: str) -> None:
    nan = torch.nan
    concepts = concepts_of([[1.0, -2.0]] * num + [[nan, nan]], [0.5, 0.3], 0.4)
    assert note_of(concepts) == NOTE + (f"{added}concepts.json has all." if added else "")


def test_the_table_is_red_where_a_concept_speaks_for_a_class_and_blue_where_against() -> None:
    table = draw_table(concepts_of([[1.0, -1.0, 0.0]], [0.5, 0.3, 0.4], 0.4), ["cat"])
    top = table.height - 20 - 3 * 24
    colours = [table.getpixel((20 + 170 + column * 62 + 3, top + 3)) for column in range(3)]
    (red, _, blue), (red_against, _, blue_against), neither = colours  # type: ignore[misc]
    assert red > blue
    assert red_against < blue_against
    assert neither == (255, 255, 255)
