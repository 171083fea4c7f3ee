"""A shifted test set that a table lists: its rows, labels and masks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.config import ConfigError, experiment_from_tree
from trainables.data import DataBundle, Draw, build_data

TRAIN = ("path,label,split", "a.png,dog,train", "b.png,fox,train", "c.png,dog,val", "d.png,dog,test")
ROWS = ("path,label,split,mask", "1.png,fox,drawn,1-mask.png", "2.png,fox,painted,", "3.png,dog,drawn,")
Make = Callable[..., DataBundle]


def draw(path: Path, left: int, right: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.repeat([[left] * 16 + [right] * 16], 32, axis=0).astype(np.uint8)).save(path)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes both tables and their images, and reads the first with the second as `data.shift.other`."""

    def read(*rows: str, train: tuple[str, ...] = TRAIN, **fields: Any) -> DataBundle:
        for root, lines in ((tmp_path / "mine", train), (tmp_path / "other", rows or ROWS)):
            for line in lines[1:]:
                draw(root / line.partition(",")[0], 10, 200)
            (root / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        draw(tmp_path / "other" / "1-mask.png", 255, 51)
        shift: Mapping[str, Any] = {"kind": "table", "root": str(tmp_path / "other"), "table": "list.csv", **fields}
        tree = {"kind": "table", "root": str(tmp_path / "mine"), "table": "list.csv", "image_size": 32}
        return build_data(experiment_from_tree({"data": {**tree, "shift": {"other": shift}}}).data)

    return read


def test_the_rows_of_one_split_are_read_with_the_training_labels(make: Make) -> None:
    shifted = make(split="drawn", masks={"kind": "soft"}).shift["other"]
    batch = shifted.__getitems__([Draw(0, 0), Draw(1, 0)])
    assert len(shifted) == 2
    assert batch.ids == ("1", "3")
    assert batch.labels_B.tolist() == [1, 0]
    assert batch.has_mask_B.tolist() == [True, False]
    assert torch.equal(batch.background_BHW[0, 0, [0, 15, 16, 31]], torch.tensor([0, 0, 0.8, 0.8]))


def test_without_a_root_it_lies_where_the_training_set_does(make: Make) -> None:
    shifted = make(root=None).shift["other"]
    assert shifted.__getitems__([Draw(0, 0)]).ids == ("d",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": "drawn", "masks": None}, "data.shift.other.masks = null leaves it out: set data.shift.other.masks"),
        ({"split": "inked", "masks": {"kind": "soft"}}, "no row has data.shift.other.split = inked"),
        ({"table": "none.csv"}, "data.shift.other.table: {root}/none.csv cannot be read"),
        (
            {"columns": {"label": "what"}, "masks": {"kind": "soft"}},
            "data.shift.other.columns.label = what: {root}/list.csv has no such column",
        ),
        (
            {"split": "drawn", "masks": {"kind": "soft"}, "images": "elsewhere"},
            "set data.shift.other.root and data.shift.other.images so that paths lead to files, or set "
            "data.shift.other.on_error=skip",
        ),
    ],
)
def test_messages_name_the_shifted_set(make: Make, tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(**fields)
    assert message.format(root=tmp_path / "other") in str(caught.value)


def test_a_class_that_is_not_trained_is_refused(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"data\.shift\.other: its classes owl are not classes of the training set"):
        make("path,label,split", "1.png,owl,test", "2.png,cat,drawn")


def test_a_class_of_other_rows_may_be_any(make: Make) -> None:
    assert len(make("path,label,split", "1.png,fox,test", "2.png,owl,drawn").shift["other"]) == 1
