"""What every published data set says of a folder that is not the right one."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.trainables.data.sets.conftest import Read
from tests.trainables.set_trees import WRITERS
from trainables.config import ConfigError
from trainables.data.sets import READERS

FOLDERS = {
    "cub": "CUB_200_2011",
    "imagenet_9": "in9l",
    "imagenet_boxes": "ILSVRC/Data/CLS-LOC",
    "metashift": "MetaShift-Cat-Dog-indoor-outdoor",
    "nico_pp": "public_dg_0416/train",
    "rival10": "RIVAL10",
    "salient_imagenet": "salient_imagenet",
    "spawrious": "spawrious224",
    "urbancars": "urbancars",
    "waterbirds": "waterbird_complete95_forest2water2",
}
"""By kind, what the root holds."""


def refused(read: Read, root: Path, settings: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        read(**settings, root=str(root))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_reader_has_a_tree() -> None:
    assert set(WRITERS) == set(READERS)


@pytest.mark.parametrize("kind", WRITERS)
def test_an_empty_root(tmp_path: Path, read: Read, kind: str) -> None:
    settings = WRITERS[kind](tmp_path / "right")
    (tmp_path / "empty").mkdir()
    message = refused(read, tmp_path / "empty", settings)
    assert message.startswith(f"data.root: {tmp_path / 'empty'}")
    assert "set data.root to the folder that holds" in message


@pytest.mark.parametrize("kind", WRITERS)
def test_a_root_one_level_off(tmp_path: Path, read: Read, kind: str) -> None:
    settings = WRITERS[kind](tmp_path / "right")
    assert refused(read, tmp_path, settings).endswith(f"it is one folder deeper: set data.root={tmp_path / 'right'}")
    names = FOLDERS[kind].split("/")
    for depth in range(1, len(names) + 1):
        folder = "/".join(names[:depth])
        message = refused(read, tmp_path / "right" / folder, settings)
        assert message.endswith(f"it is {folder} itself: set data.root={tmp_path / 'right'}")


@pytest.mark.parametrize("kind", ["imagenet_9", "urbancars"])
def test_a_missing_mask(tmp_path: Path, read: Read, kind: str) -> None:
    settings = WRITERS[kind](tmp_path)
    masks = [path for path in sorted(tmp_path.rglob("*")) if path.name.endswith(("_mask.png", "_0.npy"))]
    gone = next(path for path in masks if "co_occur_obj_mask" not in path.name)
    gone.unlink()
    message = refused(read, tmp_path, settings)
    assert f"{gone} is not there (1 of " in message
    assert message.endswith("or set data.on_error=skip to go on without them")


@pytest.mark.parametrize(
    ("kind", "masks", "message"),
    [
        (
            "imagenet_boxes",
            "ILSVRC/Annotations/CLS-LOC/train",
            "none of the 4 training images of {}/ILSVRC/Data/CLS-LOC",
        ),
        ("rival10", "RIVAL10/train/entire_object_masks", "none of the 6 training images of {}/RIVAL10"),
    ],
)
def test_no_mask_at_all_is_found_before_training(
    tmp_path: Path, read: Read, kind: str, masks: str, message: str
) -> None:
    settings = WRITERS[kind](tmp_path)
    shutil.rmtree(tmp_path / masks)
    expected = f"data.root: {message.format(tmp_path)} has a mask; unpack "
    assert refused(read, tmp_path, settings).startswith(expected)


def test_names_that_are_not_utf_8(tmp_path: Path, read: Read) -> None:
    settings = WRITERS["spawrious"](tmp_path)
    folder = tmp_path / "spawrious224" / "0" / "jungle" / "bulldog"
    shutil.copy(folder / "bulldog_jungle_0.png", str(folder / "a") + "\udcff.png")
    assert refused(read, tmp_path, settings) == (
        f"data.root: {folder} has names that are not UTF-8: 'a\\udcff.png'; rename them"
    )
