"""Salient ImageNet: which features are the object, and where they lie in the image."""

from pathlib import Path
from typing import Any

import pytest

from tests.trainables.data.sets.conftest import Read, fetch, rows
from tests.trainables.set_trees import write_salient_imagenet
from trainables.config import ConfigError
from trainables.data.sets.salient_imagenet import core_features

SECOND_MASK = Path("salient_imagenet", "n01", "feature_7", "n01_3.JPEG")
"""Of an image that has the feature 5 too."""


def test_a_feature_is_spurious_where_three_of_five_say_so(tmp_path: Path) -> None:
    write_salient_imagenet(tmp_path)
    path = tmp_path / "salient_imagenet" / "discover_spurious_features.csv"
    assert core_features(path) == {"n01": ["5", "7"], "n02": ["8"]}


def test_a_fifth_of_each_class_is_the_test_set(tmp_path: Path, read: Read) -> None:
    settings = write_salient_imagenet(tmp_path)
    data = read(**settings)
    assert data.class_names == ("n01", "n02")
    assert [len(images) for images in (data.train, data.val, data.test)] == [13, 3, 4]
    assert [label for _, label in rows(data.test)] == ["n01", "n01", "n02", "n02"]
    others = read(**settings, validation={"seed": 1})
    assert rows(others.test) == rows(data.test)
    assert rows(others.val) != rows(data.val)


def images_by_name(data: Any) -> dict[str, tuple[Any, int]]:
    sets = (data.train_unaugmented, data.val, data.test)
    return {id_: (images, index) for images in sets for index, id_ in enumerate(fetch(images).ids)}


def test_the_object_is_every_core_feature_in_the_crop_of_224(tmp_path: Path, read: Read) -> None:
    """The images are 48 x 60, so 256 x 320 once resized: the crop begins 16 rows down and 48 columns in.

    The two core features of n01 are rows 64 to 160 and columns 64 to 160 of the crop, and 104 to 200 and 80 to 120.
    """
    images, index = images_by_name(read(**write_salient_imagenet(tmp_path)))["n01__n01_0"]
    background_HW = images.whole(index).background_BHW[0]
    scale = 48 / 256
    rows_of, columns_of = (lambda row: round((row + 16) * scale)), (lambda column: round((column + 48) * scale))
    for top, bottom, left, right in ((64, 160, 64, 160), (104, 200, 80, 120)):
        inside = background_HW[rows_of(top) + 1 : rows_of(bottom) - 1, columns_of(left) + 1 : columns_of(right) - 1]
        assert inside.numel() > 0
        assert (inside == 0).all()
    assert background_HW[rows_of(170), columns_of(150)] == 1, "below the first feature, next to the second"
    assert (background_HW[:3] == 0).all(), "outside the crop nothing is known"


def test_evaluations_show_what_the_masks_know(tmp_path: Path, read: Read) -> None:
    """All features lie at least 20 pixels inside the crop, so that its edges are background."""
    data = read(**write_salient_imagenet(tmp_path), augmentation={"crop_scale_min": 1})
    for images in (data.train, data.train_unaugmented, data.val, data.test):
        batch = fetch(images)
        maps_BHW = batch.background_BHW[batch.has_mask_B]
        assert len(maps_BHW) > 0
        assert all((edge == 1).all() for edge in (maps_BHW[:, 0], maps_BHW[:, -1], maps_BHW[..., 0], maps_BHW[..., -1]))


def test_the_mask_of_every_core_feature_is_looked_for(tmp_path: Path, read: Read) -> None:
    settings, path = (
        write_salient_imagenet(tmp_path),
        tmp_path / "salient_imagenet" / "n01" / "feature_7" / "n01_3.JPEG",
    )
    path.unlink()
    with pytest.raises(ConfigError) as error:
        read(**settings)
    assert f"{path} is not there (1 of 20 rows); unpack the masks" in str(error.value)


def test_the_mask_of_every_core_feature_is_in_the_digest(tmp_path: Path, read: Read) -> None:
    settings, path = (
        write_salient_imagenet(tmp_path),
        tmp_path / "salient_imagenet" / "n01" / "feature_7" / "n01_3.JPEG",
    )

    def digests() -> list[str]:
        data = read(**settings)
        return [images.digest() for images in (data.train, data.val, data.test)]

    before = digests()
    path.write_bytes(path.read_bytes() + b"\0")
    assert sorted(old == new for old, new in zip(before, digests(), strict=True)) == [False, True, True]


def test_a_class_without_its_images_is_not_left_out(tmp_path: Path, read: Read) -> None:
    settings, path = write_salient_imagenet(tmp_path), tmp_path / "salient_imagenet" / "n02" / "image_names_map.csv"
    path.unlink()
    with pytest.raises(ConfigError) as error:
        read(**settings)
    assert str(error.value).startswith(
        f"data.root: 1 of 2 classes of {path.parents[1] / 'discover_spurious_features.csv'} are missing: {path}; "
    )


def test_the_folder_may_have_the_name_of_its_archive(tmp_path: Path, read: Read) -> None:
    settings = write_salient_imagenet(tmp_path)
    before = rows(read(**settings).test)
    (tmp_path / "salient_imagenet").rename(tmp_path / "salient_imagenet_dataset")
    data = read(**settings)
    assert rows(data.test) == before
    assert fetch(data.train).has_mask_B.any()


def test_an_image_with_spurious_features_alone_has_no_mask(tmp_path: Path, read: Read) -> None:
    found = images_by_name(read(**write_salient_imagenet(tmp_path)))
    has_mask = {id_: bool(fetch(images, index).has_mask_B) for id_, (images, index) in found.items()}
    without = {f"{wnid}__{wnid}_{number}" for wnid in ("n01", "n02") for number in (8, 9)}
    assert {id_ for id_, has in has_mask.items() if not has} == without


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("n01/image_names_map.csv", "5\nn01_0\n", "{} has no column 7, a feature of n01 in discover_spurious_features"),
        ("discover_spurious_features.csv", "a,b\n1,2\n", "column = Input.wordnet_id: {} has no such column"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, read: Read, file: str, text: str, message: str) -> None:
    settings, path = write_salient_imagenet(tmp_path), tmp_path / "salient_imagenet" / file
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read(**settings)
    assert message.format(path) in str(error.value)
