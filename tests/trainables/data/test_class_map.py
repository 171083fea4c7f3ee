"""Class maps: what is none, what a crop shows, and which class counts as its label."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from trainables.data.class_map import VOID, batch_of_classes, check_class_map, class_areas, main_class


def map_of(*rows: list[int]) -> Tensor:
    return torch.tensor(rows, dtype=torch.uint8)


def test_a_class_map_is_kept_as_it_is() -> None:
    values_HW = map_of([0, 1, 2], [3, 255, 1])
    assert torch.equal(check_class_map(values_HW, num_classes=3), values_HW)


def test_other_values_are_named_once_and_in_order() -> None:
    with pytest.raises(
        ValueError, match=r"^has the values 4, 254; a class mask has 0 \(background\), 1 to 3 \(classes\)"
    ):
        check_class_map(map_of([254, 4, 4], [0, 1, 255]), num_classes=3)


@pytest.mark.parametrize("values", [[0, 0], [255, 0], [255, 255]])
def test_a_map_without_an_object_is_refused(values: list[int]) -> None:
    with pytest.raises(ValueError, match="shows no object: not one pixel has a value from 1 to 3"):
        check_class_map(map_of(values), num_classes=3)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 3, VOID]), min_size=6, max_size=6), max_size=4))
def test_areas_are_those_of_a_loop(maps: list[list[int]]) -> None:
    classes_BHW = torch.tensor(maps, dtype=torch.uint8).view(len(maps), 2, 3)
    expected = [[values.count(k + 1) for k in range(3)] for values in maps]
    assert class_areas(classes_BHW, 3).tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"), [([1, 2, 2], 1), ([2, 1, 0], 0), ([3, 255, 255], 2), ([0, 0, 3], 2), ([3, 2, 255], 1)]
)
def test_the_main_class_has_the_most_pixels_and_is_the_first_of_equal_ones(values: list[int], expected: int) -> None:
    assert main_class(map_of(values), 3) == expected


def test_a_batch_by_hand() -> None:
    """The first crop shows classes 0 and 2, the second nothing but background and void, the third class 1 alone."""
    classes_BHW = torch.stack(
        [map_of([1, 0, 3], [3, 255, 0]), map_of([0, 0, 255], [255, 0, 0]), map_of([2, 2, 2], [2, 2, 2])]
    )
    batch = batch_of_classes(
        torch.zeros(3, 3, 2, 3), classes_BHW, torch.tensor([0, 1, 0]), ("a", "b", "c"), num_classes=3
    )
    assert batch.targets_BK is not None
    assert batch.targets_BK.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert batch.labels_B.tolist() == [2, 1, 1]
    assert batch.has_mask_B.tolist() == [True, False, True]
    assert batch.background_BHW.tolist() == [[[0, 1, 0], [0, 0, 1]], [[0, 0, 0]] * 2, [[0, 0, 0]] * 2]
    assert batch.classes_BHW is classes_BHW


def test_a_batch_of_no_image_has_the_form_of_any() -> None:
    nothing = torch.empty(0, dtype=torch.int64)
    batch = batch_of_classes(
        torch.empty(0, 3, 2, 2), torch.empty(0, 2, 2, dtype=torch.uint8), nothing, (), num_classes=4
    )
    assert batch.targets_BK is not None
    assert batch.targets_BK.shape == (0, 4)
    assert batch.labels_B.dtype == torch.int64
