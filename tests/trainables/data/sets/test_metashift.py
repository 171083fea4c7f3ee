"""MetaShift's cats and dogs, by its folders and by SubpopBench's table."""

from pathlib import Path

import pytest

from tests.trainables.data.sets.conftest import Read, groups, rows
from tests.trainables.set_trees import METASHIFT, write_metashift, write_table
from trainables.config import ConfigError

FOLDER = "MetaShift-Cat-Dog-indoor-outdoor"


def test_folders(tmp_path: Path, read: Read) -> None:
    data = read(**write_metashift(tmp_path), validation={"source": "held_out"})
    assert rows(data.test) == [
        *((f"test__cat__cat(outdoor)__2{number}", "cat") for number in range(3)),
        *((f"test__dog__dog(indoor)__3{number}", "dog") for number in range(3)),
    ]
    assert groups(data.train) == ["label=cat, place=indoor"] * 3 + ["label=dog, place=outdoor"] * 3
    assert groups(data.test) == ["label=cat, place=outdoor"] * 3 + ["label=dog, place=indoor"] * 3


def test_a_table_says_the_splits(tmp_path: Path, read: Read) -> None:
    """Of another machine: only what follows the set's folder counts."""
    settings, split = write_metashift(tmp_path), iter([0, 1, 2, 0, 0, 2, 0, 1, 2, 0, 0, 2])
    values = {"train/cat": "1,1", "train/dog": "0,0", "test/cat": "1,0", "test/dog": "0,1"}
    lines = ["filename,y,a,split"] + [
        f"/home/me/{FOLDER}/{part}/{place}{number}.jpg,{values[part[: part.index('/', 6)]]},{next(split)}"
        for place, part in enumerate(METASHIFT)
        for number in range(3)
    ]
    write_table(tmp_path / "metadata_metashift.csv", *lines)
    data = read(**settings)
    assert [id_.rpartition("__")[2] for id_, _ in rows(data.train_unaugmented)] == ["00", "10", "11", "20", "30", "31"]
    assert [id_.rpartition("__")[2] for id_, _ in rows(data.val)] == ["01", "21"]
    assert [label for _, label in rows(data.test)] == ["cat", "dog", "cat", "dog"]
    assert groups(data.val) == ["label=cat, place=indoor", "label=cat, place=outdoor"]


def test_a_table_of_another_set(tmp_path: Path, read: Read) -> None:
    settings, path = write_metashift(tmp_path), tmp_path / "metadata_metashift.csv"
    write_table(path, "filename,y,a,split", "/home/me/cats/1.jpg,1,1,0")
    with pytest.raises(ConfigError) as error:
        read(**settings)
    assert str(error.value) == (
        f"{path}, row 2, column filename: found /home/me/cats/1.jpg; expected a path with {FOLDER}/ in it"
    )
