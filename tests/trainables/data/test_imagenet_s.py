import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainables.imagenet_tree import CLASSES, IGNORED, OWN, id_map, write_ids, write_image, write_imagenet_s
from trainables.config import ConfigError, ImageNetS
from trainables.data import Batch, DataBundle, Draw, ImageError, ImageSet, build_data, left_out_of, training_batches
from trainables.data.imagenet_s import background_of_class, mask_ids

HELD_OUT = {"source": "held_out"}
"""The lists of the publisher as they are."""


def bundle(root: Path, **fields: object) -> DataBundle:
    settings = {"root": str(root), "folder": "ImageNetS3", "image_size": 48, "validation": HELD_OUT, **fields}
    return build_data(ImageNetS.model_validate(settings))


def fetch(dataset: ImageSet) -> Batch:
    return dataset.__getitems__([Draw(index, 0) for index in range(len(dataset))])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_imagenet_s(tmp_path)


def test_object_background_and_ignored_by_hand(folder: Path) -> None:
    """The central 48 columns of the 60 x 48 images are columns 6 to 53; other classes' pixels are background."""
    data = bundle(folder.parent)
    batch = fetch(data.val)
    expected_HW = torch.ones(48, 60)
    expected_HW[OWN] = 0
    expected_HW[IGNORED] = 0
    assert data.class_names == data.val.class_names == CLASSES
    assert batch.labels_B.tolist() == [0, 0, 1, 1, 2, 2]
    assert batch.ids[:2] == ("n01__ILSVRC2012_val_00", "n01__ILSVRC2012_val_01")
    assert batch.has_mask_B.all()
    assert torch.equal(batch.background_BHW, expected_HW[:, 6:54].expand(6, 48, 48))


@pytest.mark.parametrize(("train", "num", "masked"), [("both", 12, 3), ("train", 12, 0), ("train-semi", 3, 3)], ids=str)
def test_training_folders(folder: Path, train: str, num: int, masked: int) -> None:
    data = bundle(folder.parent, train=train)
    batch = fetch(data.train)
    assert len(set(batch.ids)) == len(batch) == num == len(data.train_unaugmented)
    assert int(batch.has_mask_B.sum()) == masked
    assert {id_ for id_, has in zip(batch.ids, batch.has_mask_B, strict=True) if has} == (
        {f"{name}__{name}_1" for name in CLASSES} if masked else set()
    )
    assert (batch.background_BHW[~batch.has_mask_B] == 0).all()


def test_repeats_of_masked_images_are_crops_of_their_own_in_every_epoch(folder: Path) -> None:
    data = bundle(folder.parent, oversample_masked=4)
    assert (len(data.train), len(data.train_unaugmented)) == (9 + 4 * 3, 12)
    (batch,) = training_batches(data.train, batch_size=21, seed=0, epoch=0)
    ids = [f"n02__n02_1{end}" for end in ("", "-copy1", "-copy2", "-copy3")]
    crops = [batch.images_BCHW[batch.ids.index(id_)] for id_ in ids]
    assert not any(torch.equal(crops[0], crop) for crop in crops[1:])
    assert int(batch.labels_B[batch.ids.index(ids[3])]) == 1
    assert bundle(folder.parent).train.digest() != data.train.digest()


@pytest.mark.parametrize("train", ["train", "train-semi"])
def test_repeats_need_both_sorts_of_images(train: str) -> None:
    with pytest.raises(
        ValueError, match=rf"data\.oversample_masked = 2 mixes .*data\.train = {train} has one sort alone"
    ):
        ImageNetS.model_validate({"root": "/p", "train": train, "oversample_masked": 2})


def test_an_image_that_is_in_train_semi_alone_counts_too(folder: Path) -> None:
    for name in CLASSES:
        (folder / "train" / name / f"{name}_1.JPEG").unlink()
    assert len(bundle(folder.parent).train) == 12


def test_classes_may_be_links_as_the_publishers_script_makes_them(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "imagenet" / "n02"
    elsewhere.parent.mkdir()
    (folder / "train" / "n02").rename(elsewhere)
    (folder / "train" / "n02").symlink_to(elsewhere)
    assert len(bundle(folder.parent).train) == 12


@pytest.mark.parametrize("id_", [1, 2, 255, 256, 257, 512, 768, 919])
def test_ids_are_read_as_red_plus_256_green(tmp_path: Path, id_: int) -> None:
    write_ids(tmp_path / "mask.png", id_map({id_: (0, 0), 1000: (0, 1)}, (1, 3)))
    with Image.open(tmp_path / "mask.png") as image:
        ids_HW = mask_ids(image)
    assert ids_HW.tolist() == [[id_, 1000, 0]]
    assert background_of_class(torch.from_numpy(ids_HW), id_ - 1, num_classes=919).tolist() == [[0, 255, 1]]
    assert background_of_class(torch.from_numpy(ids_HW), id_ % 919, num_classes=919).tolist() == [[1, 255, 1]]


def test_919_classes_load_with_all_their_ids(tmp_path: Path) -> None:
    """Each image of class k shows k at its left, another class next to it, and an ignored stripe at its right."""
    folder, names, size = tmp_path / "ImageNetS919", [f"n{number:08}" for number in range(919)], (32, 32)
    own, other, ignored = (slice(None), slice(0, 8)), (slice(None), slice(8, 16)), (slice(None), slice(24, 32))
    write_image(tmp_path / "one.JPEG", size=size)
    for label, name in enumerate(names):
        for split, stem in (("train-semi", "a"), ("validation", "b")):
            (folder / split / name).mkdir(parents=True)
            os.link(tmp_path / "one.JPEG", folder / split / name / f"{stem}.JPEG")
            ids_HW = id_map({label + 1: own, (label + 256) % 919 + 1: other, 1000: ignored}, size)
            write_ids(folder / f"{split}-segmentation" / name / f"{stem}.png", ids_HW)
    (folder / "categories").mkdir()
    (folder / "categories" / "ImageNetS_categories_im919.txt").write_text("\n".join(reversed(names)))
    data = bundle(tmp_path, folder="ImageNetS919", image_size=32, train="train-semi")
    assert data.class_names == tuple(names)
    expected_HW = torch.zeros(32, 32)
    expected_HW[:, 8:24] = 1
    for dataset in (data.train_unaugmented, data.val):
        batch = fetch(dataset)
        assert batch.labels_B.tolist() == list(range(919))
        assert batch.has_mask_B.all()
        assert torch.equal(batch.background_BHW, expected_HW.expand(919, 32, 32))
    with Image.open(folder / "validation-segmentation" / names[511] / "b.png") as image:
        assert set(np.unique(mask_ids(image)).tolist()) == {0, 512, 768, 1000}


@pytest.mark.parametrize("ids", [[4], [4, 5, 999, 1001]])
def test_an_id_of_no_class_is_named_with_its_file(folder: Path, ids: list[int]) -> None:
    path = folder / "validation-segmentation" / "n02" / "ILSVRC2012_val_10.png"
    write_ids(path, id_map({2: OWN, **{id_: (0, column) for column, id_ in enumerate(ids)}}))
    with pytest.raises(
        ImageError,
        match=rf"{path} has the ids {', '.join(map(str, ids))}; with 3 classes an id is 0 \(other\), 1 to 3 \(clas"
        r"ses\) or 1000 \(ignored\); .*set data\.on_error=skip",
    ):
        fetch(bundle(folder.parent).val)


def test_a_mask_without_colours_is_named(folder: Path) -> None:
    path = folder / "validation-segmentation" / "n02" / "ILSVRC2012_val_10.png"
    Image.new("L", (60, 48)).save(path)
    with pytest.raises(ImageError, match=r"val_10\.png cannot be read \(it is an image of mode L; a mask of"):
        fetch(bundle(folder.parent).val)


def test_a_mask_of_the_same_colours_in_a_palette_is_the_same(folder: Path) -> None:
    expected = fetch(bundle(folder.parent).val)
    path = folder / "validation-segmentation" / "n02" / "ILSVRC2012_val_10.png"
    with Image.open(path) as mask:
        mask.quantize(8).save(path)
    with Image.open(path) as mask:
        assert mask.mode == "P"
    assert torch.equal(fetch(bundle(folder.parent).val).background_BHW, expected.background_BHW)


def test_hidden_files_do_not_count_and_others_are_left_out_by_name(folder: Path) -> None:
    for name in (".ipynb_checkpoints", "__MACOSX"):
        (folder / "train" / name).mkdir()
    for name in ("._n01_1.JPEG", "Thumbs.db", "notes.txt"):
        (folder / "train" / "n01" / name).write_bytes(b"no image")
    data = bundle(folder.parent)
    assert data.class_names == ("n01", "n02", "n03")
    assert len(data.train) == 12
    assert (left_out_of(data) or "").startswith(f"train: left out (1): {folder}/train/n01/notes.txt; ")


def test_a_mask_without_the_own_class_is_counted_as_none(folder: Path) -> None:
    write_ids(folder / "validation-segmentation" / "n01" / "ILSVRC2012_val_00.png", id_map({2: OWN, 1000: IGNORED}))
    batch = fetch(bundle(folder.parent).val)
    assert batch.has_mask_B.tolist() == [False] + [True] * 5
    assert (batch.background_BHW[0] == 0).all()


def test_a_missing_mask_is_named_before_anything_runs(folder: Path) -> None:
    (folder / "train-semi-segmentation" / "n03" / "n03_1.png").unlink()
    with pytest.raises(
        ConfigError,
        match=r"1 of 9 masks are missing in .*ImageNetS3: train-semi-segmentation/n03/n03_1\.png; .*on_error=skip",
    ):
        bundle(folder.parent)
    data = bundle(folder.parent, on_error="skip")
    assert (len(fetch(data.train)), data.train.num_skipped) == (11, 1)


def test_a_missing_folder_tells_the_layout_and_what_is_there(folder: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"ImageNetS50/validation cannot be read \(No such file.*looked for .*validation}/<class>/\*\.JPEG.*"
        r"or data\.folder to a folder in .*: ImageNetS3",
    ):
        bundle(folder.parent, folder="ImageNetS50")
    with pytest.raises(ConfigError, match=r"nowhere/ImageNetS3/validation .*: none there has a validation folder"):
        bundle(folder.parent / "nowhere")


def test_other_classes_in_another_folder_are_named(folder: Path) -> None:
    (folder / "train-semi" / "n02").rename(folder / "train-semi" / "n05")
    with pytest.raises(ConfigError, match=r"train-semi has 3 classes .* only the first has n05, only .*second has n02"):
        bundle(folder.parent)
    assert len(bundle(folder.parent, train="train").train) == 12


def test_an_empty_class_is_named(folder: Path) -> None:
    for path in (folder / "validation" / "n02").iterdir():
        path.unlink()
    with pytest.raises(ConfigError, match=r"validation/n02 holds no image"):
        bundle(folder.parent)


def test_images_that_share_a_mask_are_named(folder: Path) -> None:
    write_image(folder / "validation" / "n02" / "ILSVRC2012_val_10.jpg")
    with pytest.raises(ConfigError, match=r"validation/n02 has images that differ only in their ending: ILSVRC2"):
        bundle(folder.parent)


@pytest.mark.parametrize("place", ["mine/categories", "mine", "categories", "data/categories"])
def test_categories_are_found_where_they_may_lie(tmp_path: Path, place: str) -> None:
    write_imagenet_s(tmp_path, folder="mine")
    with pytest.raises(ConfigError, match=r"no file says that these are all of them.*looked for .*im3\.txt"):
        bundle(tmp_path, folder="mine")
    path = tmp_path / place / "ImageNetS_categories_im3.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("n03\nn01\nn02\n")
    assert bundle(tmp_path, folder="mine").class_names == CLASSES
    path.write_text("n03\nn01\nn04\n")
    with pytest.raises(ConfigError, match=r"im3\.txt has 3 classes and .* only the first has n04, only the second has"):
        bundle(tmp_path, folder="mine")


def test_a_class_that_is_missing_everywhere_is_found_out(folder: Path) -> None:
    for path in folder.rglob("n02"):
        path.rename(folder.parent / f"{path.parent.name}-n02")
    with pytest.raises(ConfigError, match=r"validation has 2 classes, and no file says that these are all of them"):
        bundle(folder.parent)


@pytest.mark.parametrize("folder", ["/absolute", "../elsewhere", "."])
def test_the_folder_lies_below_the_root(folder: str) -> None:
    with pytest.raises(ValueError, match=r"Input should name a folder below data\.root"):
        ImageNetS.model_validate({"root": "/p", "folder": folder})


@pytest.mark.data
def test_real_images(real_images_root: str) -> None:
    data = bundle(Path(real_images_root), folder="ImageNetS-mini", image_size=32, oversample_masked=2)
    assert (len(data.class_names), len(data.train), len(data.train_unaugmented), len(data.val)) == (
        6,
        410 + 60,
        410,
        178,
    )
    val = fetch(data.val)
    assert val.has_mask_B.float().mean() > 0.95
    assert 0.2 < val.background_BHW.mean() < 0.8
