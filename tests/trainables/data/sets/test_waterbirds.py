"""Waterbirds with the masks of CUB."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.trainables.data.sets.conftest import Read, background, fetch, groups, rows
from tests.trainables.set_trees import OBJECT, draw, mask, write_waterbirds
from trainables.config import ConfigError

FOLDER = "waterbird_complete95_forest2water2"


def test_rows_are_the_images_of_their_splits(tmp_path: Path, read: Read) -> None:
    data = read(**write_waterbirds(tmp_path))
    assert data.class_names == ("landbird", "waterbird")
    assert rows(data.train_unaugmented) == [
        ("001.Albatross__a", "waterbird"),
        ("001.Albatross__b", "waterbird"),
        ("001.Albatross__c", "waterbird"),
        ("002.Bunting__d", "landbird"),
        ("002.Bunting__e", "landbird"),
    ]
    assert [name for name, _ in rows(data.val)] == ["002.Bunting__f", "001.Albatross__g", "001.Albatross__h"]
    assert [name for name, _ in rows(data.test)] == ["002.Bunting__i", "002.Bunting__j", "001.Albatross__k"]
    assert data.shift == {}


def test_a_group_is_twice_the_bird_plus_the_place(tmp_path: Path, read: Read) -> None:
    train: Any = read(**write_waterbirds(tmp_path)).train
    assert train.group_names == (
        "label=landbird, place=land",
        "label=landbird, place=water",
        "label=waterbird, place=land",
        "label=waterbird, place=water",
    )
    assert train.groups().tolist() == [3, 3, 2, 0, 0]
    assert train.group_uncommon == ((), ("place",), ("place",), ())


def test_the_places_of_a_bird_that_are_uncommon_follow_from_the_training_images(tmp_path: Path, read: Read) -> None:
    """Waterbirds mostly on land, as in no copy of the set."""
    settings, path = write_waterbirds(tmp_path), tmp_path / FOLDER / "metadata.csv"
    path.write_text(path.read_text().replace("a.jpg,1,0,1", "a.jpg,1,0,0"))
    train: Any = read(**settings).train
    assert train.group_uncommon == ((), ("place",), (), ("place",))


def test_a_mask_is_the_share_of_annotators_who_saw_the_bird(tmp_path: Path, read: Read) -> None:
    settings = write_waterbirds(tmp_path)
    values = mask()
    values[0, :5] = 51
    draw(tmp_path / "segmentations" / "001.Albatross" / "a.png", values)
    background_HW = background(read(**settings).train_unaugmented)
    assert background_HW[0, :6].tolist() == pytest.approx([0.8, 0.8, 0.8, 0.8, 0.8, 1])
    assert (background_HW[OBJECT] == 0).all()
    assert background_HW.sum().item() == pytest.approx(48 * 60 - 24 * 28 - 1)


@pytest.mark.parametrize("place", ["CUB_200_2011", FOLDER])
def test_masks_may_lie_in_another_folder(tmp_path: Path, read: Read, place: str) -> None:
    settings = write_waterbirds(tmp_path)
    (tmp_path / place).mkdir(exist_ok=True)
    shutil.move(tmp_path / "segmentations", tmp_path / place / "segmentations")
    assert fetch(read(**settings).test).has_mask_B.all()


def test_the_folder_may_have_the_name_that_wilds_gives_it(tmp_path: Path, read: Read) -> None:
    settings = write_waterbirds(tmp_path)
    (tmp_path / FOLDER).rename(tmp_path / "waterbirds_v1.0")
    assert groups(read(**settings).val) == [
        "label=landbird, place=land",
        "label=waterbird, place=land",
        "label=waterbird, place=water",
    ]


class TestErrors:
    @pytest.mark.parametrize(
        ("root", "ends"),
        [
            ("", "it is one folder deeper: set data.root={}/deep"),
            (f"deep/{FOLDER}", f"it is {FOLDER} itself: set data.root={{}}/deep"),
            ("deep/segmentations", "and set data.root to the folder that holds it"),
        ],
    )
    def test_another_level(self, tmp_path: Path, read: Read, root: str, ends: str) -> None:
        settings = write_waterbirds(tmp_path / "deep")
        with pytest.raises(ConfigError) as error:
            read(**settings, root=str(tmp_path / root))
        wanted = f"{FOLDER}/metadata.csv or waterbirds_v1.0/metadata.csv"
        assert str(error.value).startswith(f"data.root: {tmp_path / root} holds no {wanted}; ")
        assert str(error.value).endswith(ends.format(tmp_path))

    def test_no_masks(self, tmp_path: Path, read: Read) -> None:
        settings = write_waterbirds(tmp_path)
        shutil.rmtree(tmp_path / "segmentations")
        with pytest.raises(ConfigError) as error:
            read(**settings)
        assert str(error.value) == (
            f"data.root: {tmp_path} holds no CUB_200_2011/segmentations or segmentations or {FOLDER}/segmentations, "
            "the masks; unpack https://data.caltech.edu/records/w9d68-gec53/files/segmentations.tgz in "
            f"{tmp_path}; data.kind=table reads Waterbirds without masks"
        )

    @pytest.mark.parametrize("gone", ["segmentations/001.Albatross/b.png", f"{FOLDER}/001.Albatross/b.jpg"])
    def test_a_missing_file(self, tmp_path: Path, read: Read, gone: str) -> None:
        settings = write_waterbirds(tmp_path)
        (tmp_path / gone).unlink()
        with pytest.raises(ConfigError) as error:
            read(**settings)
        assert str(error.value) == (
            f"{tmp_path}/{FOLDER}/metadata.csv: {tmp_path / gone} is not there (1 of 11 rows); unpack the set and "
            "CUB's segmentations again, or set data.on_error=skip to go on without them"
        )

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("a.jpg,1,0,1", "a.jpg,2,0,1", "row 2, column y: found 2; expected 0 (landbird), 1 (waterbird)"),
            ("a.jpg,1,0,1", "a.jpg,1,3,1", "row 2, column split: found 3; expected 0 (train), 1 (val), 2 (test)"),
            ("a.jpg,1,0,1", "a.jpg,1,0,", "row 2, column place: is empty; every row needs a value"),
        ],
    )
    def test_a_cell(self, tmp_path: Path, read: Read, old: str, new: str, message: str) -> None:
        settings, path = write_waterbirds(tmp_path), tmp_path / FOLDER / "metadata.csv"
        path.write_text(path.read_text().replace(old, new))
        with pytest.raises(ConfigError) as error:
            read(**settings)
        assert str(error.value) == f"{path}, {message}"

    def test_a_column(self, tmp_path: Path, read: Read) -> None:
        settings, path = write_waterbirds(tmp_path), tmp_path / FOLDER / "metadata.csv"
        path.write_text(path.read_text().replace("place,place_filename", "plce,place_filename"))
        with pytest.raises(ConfigError, match=r"^column = place: .*has no such column; did you mean"):
            read(**settings)

    def test_validation_that_has_no_effect(self, tmp_path: Path, read: Read) -> None:
        with pytest.raises(ConfigError, match=r"^data\.validation has no effect, since .*metadata\.csv has rows of"):
            read(**write_waterbirds(tmp_path), validation={"share": 0.1})
