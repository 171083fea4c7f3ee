"""CUB-200-2011 with its segmentations."""

from pathlib import Path

import pytest

from tests.trainables.data.sets.conftest import Read, background, rows
from tests.trainables.set_trees import OBJECT, write_cub
from trainables.config import ConfigError

HELD_OUT = {"source": "held_out"}


def test_lists_say_class_and_split(tmp_path: Path, read: Read) -> None:
    data = read(**write_cub(tmp_path), validation=HELD_OUT)
    assert data.class_names == ("001.Albatross", "002.Bunting")
    folders = {1: "001.Albatross", 0: "002.Bunting"}
    expected = [(f"{folders[number % 2]}__{number}", folders[number % 2]) for number in range(1, 11)]
    assert rows(data.train_unaugmented) == expected[:6]
    assert rows(data.test) == expected[6:]


def test_masks_fit_their_images(tmp_path: Path, read: Read) -> None:
    background_HW = background(read(**write_cub(tmp_path)).test, 1)
    assert (background_HW[OBJECT] == 0).all()
    assert background_HW.sum() == 48 * 60 - 24 * 28


def test_without_segmentations_a_table_is_what_works(tmp_path: Path, read: Read) -> None:
    settings = write_cub(tmp_path)
    (tmp_path / "segmentations").rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError) as error:
        read(**settings)
    assert str(error.value).startswith(
        f"data.root: {tmp_path} holds no CUB_200_2011/segmentations or segmentations, the masks; unpack https://"
    )
    assert str(error.value).endswith("; data.kind=table reads CUB without masks")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("train_test_split.txt", "3 1\n", "", "data.root: {} lacks 1 images of images.txt: 3"),
        ("train_test_split.txt", "3 1\n", "3 2\n", "{}: found 3 2; expected one of 1, 0"),
        ("image_class_labels.txt", "3 1\n", "3 9\n", "{}: found 3 9; expected one of 1, 2"),
        (
            "images.txt",
            "1 001.Albatross/1.jpg",
            "001.Albatross/1.jpg",
            "{}, line 1: found '001.Albatross/1.jpg'; expected a number and a value",
        ),
    ],
)
def test_lists_that_do_not_fit(tmp_path: Path, read: Read, file: str, old: str, new: str, message: str) -> None:
    settings, path = write_cub(tmp_path), tmp_path / "CUB_200_2011" / file
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        read(**settings)
    assert str(error.value) == message.format(path)
