"""ImageNet with its boxes."""

from pathlib import Path

import pytest
import torch
from PIL import ExifTags, Image

from tests.trainables.data.sets.conftest import Read, background, fetch, rows
from tests.trainables.set_trees import OBJECT, voc_xml, write_imagenet_boxes
from trainables.config import ConfigError
from trainables.data import ImageError

HELD_OUT = {"source": "held_out"}
VAL = Path("ILSVRC", "Annotations", "CLS-LOC", "val", "ILSVRC2012_val_00.xml")
IMAGE = Path("ILSVRC", "Data", "CLS-LOC", "val", "ILSVRC2012_val_00.JPEG")
TRAIN = Path("ILSVRC", "Annotations", "CLS-LOC", "train", "n01", "n01_0.xml")


def test_val_is_the_test_set_and_its_annotations_say_its_classes(tmp_path: Path, read: Read) -> None:
    data = read(**write_imagenet_boxes(tmp_path), validation=HELD_OUT)
    assert rows(data.train_unaugmented) == [
        (f"train__{wnid}__{wnid}_{number}", wnid) for wnid in ("n01", "n02") for number in range(2)
    ]
    numbers = (("00", "n01"), ("01", "n01"), ("10", "n02"), ("11", "n02"))
    assert rows(data.test) == [(f"val__ILSVRC2012_val_{number}", wnid) for number, wnid in numbers]


def test_an_image_without_annotation_has_no_mask(tmp_path: Path, read: Read) -> None:
    settings = write_imagenet_boxes(tmp_path)
    (tmp_path / TRAIN).unlink()
    assert fetch(read(**settings, validation=HELD_OUT).train).has_mask_B.tolist() == [False, True, True, True]


def test_boxes_are_in_pixels_of_the_size_that_the_annotation_gives(tmp_path: Path, read: Read) -> None:
    settings = write_imagenet_boxes(tmp_path)
    assert (background(read(**settings).test)[OBJECT] == 0).all()
    assert background(read(**settings).test).sum() == 48 * 60 - 24 * 28
    (tmp_path / VAL).write_text(voc_xml("n01", (160, 120, 440, 360), (-9, -9, 10, 10), size=(480, 600)))
    background_HW = background(read(**settings).test)
    assert (background_HW[OBJECT] == 0).all()
    assert background_HW.sum() == 48 * 60 - 24 * 28 - 1


def test_an_annotation_without_a_box_is_no_mask(tmp_path: Path, read: Read) -> None:
    settings = write_imagenet_boxes(tmp_path)
    (tmp_path / TRAIN).write_text(voc_xml("n01"))
    train = read(**settings, validation=HELD_OUT).train_unaugmented
    assert fetch(train).has_mask_B.tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("orientation", "rows_of", "columns_of"),
    [
        (1, slice(4, 20), slice(10, 30)),
        (3, slice(28, 44), slice(30, 50)),
        (6, slice(10, 30), slice(28, 44)),
        (8, slice(30, 50), slice(4, 20)),
    ],
)
def test_boxes_turn_with_their_image(
    tmp_path: Path, read: Read, orientation: int, rows_of: slice, columns_of: slice
) -> None:
    """The image is stored 48 pixels high and 60 wide; by 6 it is turned clockwise, by 8 against the clock."""
    settings = write_imagenet_boxes(tmp_path)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.new("RGB", (60, 48)).save(tmp_path / IMAGE, exif=exif)
    (tmp_path / VAL).write_text(voc_xml("n01", (10, 4, 30, 20)))
    background_HW = background(read(**settings).test)
    assert background_HW.shape == ((60, 48) if orientation > 4 else (48, 60))
    assert (background_HW[rows_of, columns_of] == 0).all()
    assert (background_HW == 0).sum() == 16 * 20


def test_annotations_are_copied_to_the_cache_as_images_are(tmp_path: Path, read: Read) -> None:
    settings, cache = write_imagenet_boxes(tmp_path), tmp_path / "cache"
    test = read(**settings, cache=str(cache), cache_leaves_gib=0).test
    first, again = fetch(test), fetch(test)
    copies = [path.read_bytes() for path in cache.rglob("*") if path.is_file()]
    assert len(copies) == 4 + 4
    assert (tmp_path / VAL).read_bytes() in copies
    assert torch.equal(first.background_BHW, again.background_BHW)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><annotation/>", "it has a DOCTYPE, which could declare entities without end"),
        ("<annotation><object>", "no element found"),
        ("<annotation><bndbox><xmin>1</xmin></bndbox></annotation>", "<bndbox> lacks <ymin>"),
    ],
)
def test_annotations_that_are_none(tmp_path: Path, read: Read, text: str, reason: str) -> None:
    settings = write_imagenet_boxes(tmp_path)
    (tmp_path / TRAIN).write_text(text)
    with pytest.raises(ImageError) as error:
        fetch(read(**settings, validation=HELD_OUT).train)
    assert str(error.value).startswith(f"{tmp_path / TRAIN} cannot be read as boxes ({reason}")


@pytest.mark.parametrize("text", [None, "<annotation/>"])
def test_test_images_without_a_class(tmp_path: Path, read: Read, text: str | None) -> None:
    settings = write_imagenet_boxes(tmp_path)
    (tmp_path / VAL).unlink() if text is None else (tmp_path / VAL).write_text(text)
    with pytest.raises(ConfigError, match=r"^data\.root: 1 of 4 annotations of val are missing, or name no class:"):
        read(**settings)
