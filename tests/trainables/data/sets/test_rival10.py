"""RIVAL10 with the masks of its objects."""

from pathlib import Path

import pytest

from tests.trainables.data.sets.conftest import Read, background, fetch, rows
from tests.trainables.set_trees import draw, write_rival10
from trainables.config import ConfigError


def test_classes_are_those_of_imagenets_names(tmp_path: Path, read: Read) -> None:
    data = read(**write_rival10(tmp_path), validation={"source": "held_out"})
    assert data.class_names == ("car", "truck")
    for split, images in (("train", data.train_unaugmented), ("test", data.test)):
        assert rows(images) == [
            (f"RIVAL10__{split}__ordinary__{wnid}_{number}", name)
            for wnid, name in (("n02814533", "car"), ("n03796401", "truck"), ("n04467665", "truck"))
            for number in range(2)
        ]


def test_soft_edges_of_a_jpeg_are_cut_at_half(tmp_path: Path, read: Read) -> None:
    """Twelve is no multiple of JPEG's blocks of eight, so that the edge has grey values."""
    background_HW = background(read(**write_rival10(tmp_path)).test)
    assert set(background_HW.unique().tolist()) == {0, 1}
    assert background_HW.sum() == 48 * 60 - 24 * 28


def test_an_image_whose_object_was_not_marked_has_no_mask(tmp_path: Path, read: Read) -> None:
    settings = write_rival10(tmp_path)
    (tmp_path / "RIVAL10" / "train" / "entire_object_masks" / "n03796401_0.JPEG").unlink()
    train = read(**settings, validation={"source": "held_out"}).train_unaugmented
    assert fetch(train).has_mask_B.tolist() == [True, True, False, True, True, True]


def test_an_image_of_another_class(tmp_path: Path, read: Read) -> None:
    settings, path = write_rival10(tmp_path), tmp_path / "RIVAL10" / "test" / "ordinary" / "n01440764_1.JPEG"
    draw(path)
    with pytest.raises(ConfigError) as error:
        read(**settings)
    assert str(error.value) == f"data.root: found {path}; expected <wnid>_<image> of RIVAL10's classes"
