"""ImageNet-9 and its variants."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainables.data.sets.conftest import Read, background, fetch, rows
from tests.trainables.set_trees import IMAGENET_9, OBJECT, mask, write_imagenet_9, write_npy
from trainables.config import ConfigError, experiment_from_tree
from trainables.data import ImageError

MASK = "bg_challenge/fg_mask/val/00_dog/00_0.npy"


HELD_OUT = {"source": "held_out"}
TRAINING = [
    f"in9l__train__{name}__{name[:2]}_{number}" for name in ("00_dog", "02_wheeled vehicle") for number in (0, 1)
]


def test_validation_images_are_cut_from_training_since_the_publishers_show_test_images(
    tmp_path: Path, read: Read
) -> None:
    data = read(**write_imagenet_9(tmp_path))
    validated = {id_ for id_, _ in rows(data.val)}
    assert len(validated) == 1
    assert validated | {id_ for id_, _ in rows(data.train_unaugmented)} == set(TRAINING)


def test_the_smaller_training_set_does_as_well(tmp_path: Path, read: Read) -> None:
    settings = write_imagenet_9(tmp_path)
    (tmp_path / "in9l").rename(tmp_path / "original")
    ids = [id_ for id_, _ in rows(read(**settings, validation=HELD_OUT).train_unaugmented)]
    assert ids == [id_.replace("in9l", "original") for id_ in TRAINING]


def test_variants_are_shifted_sets(tmp_path: Path, read: Read) -> None:
    data = read(**write_imagenet_9(tmp_path), validation=HELD_OUT)
    assert data.class_names == ("00_dog", "02_wheeled vehicle")
    assert tuple(data.shift) == IMAGENET_9
    assert [id_ for id_, _ in rows(data.train_unaugmented)] == TRAINING
    for name, images in {"original": data.test, **data.shift}.items():
        assert rows(images) == [
            (f"bg_challenge__{name}__val__{folder}__{folder[:2]}_{number}", folder)
            for folder in data.class_names
            for number in range(2)
        ]


def test_only_the_original_test_images_have_masks(tmp_path: Path, read: Read) -> None:
    data = read(**write_imagenet_9(tmp_path))
    background_HW = background(data.test)
    assert (background_HW[OBJECT] == 0).all()
    assert background_HW.sum() == 48 * 60 - 24 * 28
    assert fetch(data.test).has_mask_B.all()
    assert not any(fetch(images).has_mask_B.any() for images in (data.train, data.val, *data.shift.values()))


def test_the_config_names_the_variants_and_lends_no_masks_to_training(tmp_path: Path) -> None:
    section: dict[str, Any] = {
        "kind": "imagenet_9",
        "root": str(tmp_path),
        "shift": {"far": {"kind": "image_folder", "root": "/far"}},
    }
    assert experiment_from_tree({"data": section}).data.shift_names == (*IMAGENET_9, "far")
    with pytest.raises(ConfigError, match=r"need.* masks, and data\.kind = imagenet_9 has none"):
        experiment_from_tree({"data": section, "objective": {"kind": "contrastive"}})
    named = {"no_fg": section["shift"]["far"]}
    with pytest.raises(ConfigError, match=r"data\.shift has no_fg, which data\.kind = imagenet_9 has of its own"):
        experiment_from_tree({"data": {**section, "shift": named}})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (mask(1)[..., None], "it has shape (48, 60, 1); expected height and width, and whole numbers from 0 to 255"),
        (mask(1) / 2, "it has shape (48, 60); expected height and width, and whole numbers from 0 to 255"),
        (np.array([[{}]]), "Object arrays cannot be loaded when allow_pickle=False"),
    ],
)
def test_arrays_that_are_no_masks(tmp_path: Path, read: Read, values: object, reason: str) -> None:
    settings = write_imagenet_9(tmp_path)
    write_npy(tmp_path / MASK, values)
    with pytest.raises(ImageError) as error:
        fetch(read(**settings).test)
    assert f"{tmp_path / MASK} cannot be read ({reason})" in str(error.value)


def test_a_variant_that_is_missing(tmp_path: Path, read: Read) -> None:
    settings = write_imagenet_9(tmp_path)
    (tmp_path / "bg_challenge" / "no_fg").rename(tmp_path / "elsewhere")
    with pytest.raises(
        ConfigError, match=r"^data\.root: .*bg_challenge/no_fg/val cannot be read .*; unpack backgrounds"
    ):
        read(**settings)
