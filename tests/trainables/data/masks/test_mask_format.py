"""Masks: what a file may hold, what a crop shows, which class counts as its label, and a format of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from trainables.data import Batch, Draw
from trainables.data.file_reader import FileReader
from trainables.data.image_file import ImageFile
from trainables.data.image_files import ImageFiles
from trainables.data.image_list import ImageList
from trainables.data.masks.mask_format import (
    BACKGROUND,
    IGNORED,
    OBJECT,
    ObjectMask,
    batch_of_classes,
    check_class_map,
    class_areas,
    main_class,
    zero_is_background,
)
from trainables.data.transforms import evaluation_transform


def map_of(*rows: list[int]) -> Tensor:
    return torch.tensor(rows, dtype=torch.uint8)


def test_a_class_map_is_kept_as_it_is() -> None:
    values_HW = map_of([0, 1, 2], [3, 255, 1])
    assert torch.equal(check_class_map(values_HW, num_classes=3), values_HW)


def test_other_values_are_named_once_and_in_order() -> None:
    with pytest.raises(
        ValueError, match=r"^has the values 4, 254; a class mask has only 0 \(background\), 1 to 3 \(classes\)"
    ):
        check_class_map(map_of([254, 4, 4], [0, 1, 255]), num_classes=3)


@pytest.mark.parametrize("values", [[0, 0], [255, 0], [255, 255]])
def test_a_map_without_an_object_is_refused(values: list[int]) -> None:
    with pytest.raises(ValueError, match="shows no object: no pixel has a value from 1 to 3"):
        check_class_map(map_of(values), num_classes=3)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 3, IGNORED]), min_size=6, max_size=6), max_size=4))
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
    """The first crop shows classes 0 and 2, the second only background and ignored pixels, the third only class 1."""
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


def test_values_other_than_zero_are_object() -> None:
    assert zero_is_background(map_of([0, 1, 255]), None).tolist() == [[BACKGROUND, OBJECT, OBJECT]]


def test_a_batch_of_object_masks_by_hand() -> None:
    """The first crop shows an object, the second none, and the third image has no mask."""
    maps = [map_of([OBJECT, BACKGROUND, IGNORED]), map_of([BACKGROUND, BACKGROUND, IGNORED]), None]
    labels_B = torch.tensor([2, 0, 1])
    batch = ObjectMask().batch(torch.zeros(3, 3, 1, 3), maps, labels_B, ("a", "b", "c"))
    assert batch.background_BHW.tolist() == [[[0, 1, 0]], [[0, 0, 0]], [[0, 0, 0]]]
    assert batch.has_mask_B.tolist() == [True, False, False]
    assert batch.labels_B.tolist() == [2, 0, 1]
    assert batch.targets_BK is None
    assert batch.classes_BHW is None


@dataclass(frozen=True)
class Boxes:
    """A format without mask files: the object fills the left columns of the image, as many as its label says."""

    def read(self, image_file: ImageFile, size: Sequence[int], _: FileReader, /) -> Tensor | None:
        map_HW = torch.full(tuple(size), BACKGROUND, dtype=torch.uint8)
        map_HW[:, : image_file.label] = OBJECT
        return map_HW

    def label(self, image_file: ImageFile, _: Tensor | None, /) -> int:
        return image_file.label or 0

    def batch(
        self, images_BCHW: Tensor, maps: Sequence[Tensor | None], labels_B: Tensor, ids: tuple[str, ...]
    ) -> Batch:
        return ObjectMask().batch(images_BCHW, maps, labels_B, ids)


def test_a_new_format_needs_no_other_change(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    images = ImageFiles(
        ImageList([ImageFile(tmp_path / "a.png", None, 8, "a")], tmp_path),
        class_names=tuple("abcdefghi"),
        image_size=32,
        transform=evaluation_transform(32),
        mask_format=Boxes(),
    )
    batch = images.__getitems__([Draw(0, 0)])
    assert batch.background_BHW.mean(1).tolist() == [[0.0] * 8 + [1.0] * 24]
