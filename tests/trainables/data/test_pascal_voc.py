import hashlib
import logging
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets.voc import DATASET_YEAR_DICT

from tests.trainables.voc_tree import (
    CAT,
    DOG,
    PERSON,
    VAL,
    VOID,
    class_map,
    palette,
    write_list,
    write_mask,
    write_voc,
)
from trainables.config import ConfigError, DogsVsCats, PascalVoc
from trainables.data import Batch, DataBundle, Draw, ImageError, ImageSet, build_data
from trainables.data.pascal_voc import CLASSES

EVERYTHING = slice(None)

HELD_OUT = {"source": "held_out"}
"""The lists of the publisher as they are."""


def bundle(root: Path, **fields: object) -> DataBundle:
    return build_data(PascalVoc.model_validate({"root": str(root), "image_size": 48, "validation": HELD_OUT, **fields}))


def fetch(dataset: ImageSet, *indices: int, seed: int = 0) -> Batch:
    return dataset.__getitems__([Draw(index, seed) for index in indices or range(len(dataset))])


def tensors_of(batch: Batch) -> tuple[Tensor, Tensor]:
    assert batch.targets_BK is not None
    assert batch.classes_BHW is not None
    return batch.targets_BK, batch.classes_BHW


def shown(batch: Batch) -> list[list[str]]:
    return [[CLASSES[k] for k in targets_K.nonzero().flatten()] for targets_K in tensors_of(batch)[0]]


def folder_of(root: Path) -> Path:
    return root / "VOCdevkit" / "VOC2012"


def test_classes_are_the_20_official_ones_in_order_of_the_masks_values() -> None:
    assert len(set(CLASSES)) == 20
    assert list(CLASSES) == sorted(CLASSES)
    assert [CLASSES[value - 1] for value in (1, CAT, DOG, PERSON, 20)] == [
        "aeroplane",
        "cat",
        "dog",
        "person",
        "tvmonitor",
    ]


def test_images_masks_and_labels_by_hand(voc_root: Path) -> None:
    """The central 48 columns of the 60 x 48 images are columns 6 to 53, so that column 10 becomes 4."""
    data = bundle(voc_root)
    val = fetch(data.val)
    assert (len(data.train), len(data.val), len(data.train_unaugmented)) == (4, 3, 4)
    assert data.class_names == data.train.class_names == CLASSES
    assert val.ids == tuple(VAL)
    assert shown(val) == [["cat", "dog"], ["dog"], ["person"]]
    assert [CLASSES[label] for label in val.labels_B] == ["cat", "dog", "person"]
    assert val.has_mask_B.all()
    _, classes_BHW = tensors_of(val)
    expected_HW = torch.zeros(48, 48, dtype=torch.uint8)
    expected_HW[6:42, 4:24] = CAT
    expected_HW[10:38, 24:42] = DOG
    assert torch.equal(classes_BHW[0], expected_HW)
    assert torch.equal(val.background_BHW[0], (expected_HW == 0).float())


def test_void_is_neither_object_nor_background(tmp_path: Path) -> None:
    parts = {VOID: (slice(0, 24), EVERYTHING), CAT: (slice(8, 16), EVERYTHING)}
    write_voc(tmp_path, val={"a": parts})
    batch = fetch(bundle(tmp_path).val)
    assert shown(batch) == [["cat"]]
    assert tensors_of(batch)[1][0, :, 0].tolist() == [VOID] * 8 + [CAT] * 8 + [VOID] * 8 + [0] * 24
    assert batch.background_BHW[0].mean(1).tolist() == [0.0] * 24 + [1.0] * 24


def test_the_label_is_the_class_with_the_most_pixels_in_the_crop(tmp_path: Path) -> None:
    """The margins, 6 columns on either side, are cut off: of the dog 4 x 48 pixels are left, of the cat 10 x 24."""
    parts = {DOG: (EVERYTHING, slice(0, 10)), CAT: (slice(0, 24), slice(20, 30))}
    assert (class_map(parts) == DOG).sum() > (class_map(parts) == CAT).sum()
    write_voc(tmp_path, val={"a": parts})
    batch = fetch(bundle(tmp_path).val)
    assert shown(batch) == [["cat", "dog"]]
    assert CLASSES[batch.labels_B[0]] == "cat"


def test_a_crop_without_an_object_has_the_whole_image_s_label_and_no_mask(tmp_path: Path) -> None:
    parts = {DOG: (EVERYTHING, slice(0, 6)), PERSON: (EVERYTHING, slice(56, 60)), VOID: (slice(0, 9), slice(20, 30))}
    write_voc(tmp_path, val={"a": parts})
    batch = fetch(bundle(tmp_path).val)
    assert shown(batch) == [[]]
    assert CLASSES[batch.labels_B[0]] == "dog"
    assert not batch.has_mask_B.any()
    assert torch.count_nonzero(batch.background_BHW) == 0


@pytest.mark.parametrize("seed", range(5))
def test_targets_and_backgrounds_are_those_of_the_augmented_crop(voc_root: Path, seed: int) -> None:
    batch = fetch(bundle(voc_root, augmentation={"crop_scale_min": 0.05}).train, seed=seed)
    targets_BK, classes_BHW = tensors_of(batch)
    for index, classes_HW in enumerate(classes_BHW):
        values = set(classes_HW.unique().tolist()) - {0, VOID}
        assert targets_BK[index].nonzero().flatten().tolist() == sorted(value - 1 for value in values)
        background_HW = (classes_HW == 0) if values else torch.zeros(48, 48)
        assert torch.equal(batch.background_BHW[index], background_HW.float())
    # The images show each class in its own colour, so that the mask is held against what is seen.
    is_cat_BHW = (batch.images_BCHW[:, 0] > 0.6) & (batch.images_BCHW[:, 1:].amax(1) < 0.4)
    assert (is_cat_BHW == (classes_BHW == CAT)).float().mean() > 0.85


def test_masks_are_read_by_the_values_and_not_by_the_colours_of_their_palette(voc_root: Path) -> None:
    path = folder_of(voc_root) / "SegmentationClass" / "2010_000006.png"
    with Image.open(path) as mask:
        assert mask.mode == "P"
        colours = np.array(mask.convert("RGB"))
    assert {tuple(colour) for colour in colours.reshape(-1, 3).tolist()} == {(0, 0, 0), (64, 0, 128)}


@pytest.mark.parametrize(
    ("year", "base"), [(2007, "VOCdevkit/VOC2007"), ("2010", "VOCdevkit/VOC2010"), (2011, "TrainVal/VOCdevkit/VOC2011")]
)
def test_years_lie_where_torchvision_unpacks_them(tmp_path: Path, year: int | str, base: str) -> None:
    write_voc(tmp_path, base=base)
    assert fetch(bundle(tmp_path, year=year).val).ids == tuple(VAL)
    with pytest.raises(ConfigError, match=r"VOC2012/ImageSets/Segmentation/train\.txt cannot be read"):
        bundle(tmp_path)


def test_cats_and_dogs_from_elsewhere_are_a_shifted_test_set(voc_root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dogs-vs-cats" / "train"
    folder.mkdir(parents=True)
    for name in ("cat.0.jpg", "dog.0.jpg"):
        Image.new("RGB", (60, 60)).save(folder / name)
    data = bundle(voc_root, shift={"asirra": DogsVsCats(root=str(tmp_path)).model_dump()})
    batch = fetch(data.shift["asirra"])
    assert [CLASSES[label] for label in batch.labels_B] == ["cat", "dog"]
    assert batch.targets_BK is None


def test_digest_follows_the_files(voc_root: Path) -> None:
    before = bundle(voc_root).val.digest()
    write_mask(folder_of(voc_root) / "SegmentationClass" / f"{next(iter(VAL))}.png", class_map({CAT: (3, 3)}))
    assert bundle(voc_root).val.digest() != before


def test_missing_folder_tells_the_layout_and_the_download(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"train\.txt cannot be read \(.*\); looked for .*/VOCdevkit/VOC2012/JPEGImages/\*\.jpg"
    ) as error:
        bundle(tmp_path)
    assert "set data.root to the folder that holds VOCdevkit/VOC2012, data.year to" in str(error.value)
    assert "data.download=true" in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2007_000001  1", "expected an image's name without its ending"),
        ("../2007_000001", "expected an image's name without its ending"),
        ("2007_000001", "lists more than once: 2007_000001"),
    ],
)
def test_a_wrong_line_is_named(voc_root: Path, line: str, message: str) -> None:
    path = folder_of(voc_root) / "ImageSets" / "Segmentation" / "train.txt"
    path.write_text(f"2007_000001\n\n{line}\n")
    with pytest.raises(ConfigError, match=message) as error:
        bundle(voc_root)
    assert str(path) in str(error.value)
    assert "line 3" in str(error.value) or "more than once" in message


def test_an_image_in_both_lists_is_named(voc_root: Path) -> None:
    write_list(folder_of(voc_root), "val", {**VAL, "2008_000003": {}})
    with pytest.raises(ConfigError, match=r"train\.txt and .*val\.txt both list 1 of the images: 2008_000003;"):
        bundle(voc_root)


@pytest.mark.parametrize(("encoding", "refused"), [("utf-8-sig", False), ("utf-16", True)])
def test_a_list_may_end_its_lines_as_windows_does_and_start_with_a_mark(
    voc_root: Path, encoding: str, refused: bool
) -> None:
    path = folder_of(voc_root) / "ImageSets" / "Segmentation" / "val.txt"
    path.write_bytes("\r\n".join(VAL).encode(encoding))
    if refused:
        with pytest.raises(ConfigError, match=r"val\.txt is not in UTF-8"):
            bundle(voc_root)
    else:
        assert fetch(bundle(voc_root).val).ids == tuple(VAL)


def test_an_empty_list_is_refused(voc_root: Path) -> None:
    write_list(folder_of(voc_root), "val", {})
    with pytest.raises(ConfigError, match=r"val\.txt lists no images"):
        bundle(voc_root)


def test_lists_that_name_missing_files_are_refused_before_anything_runs(voc_root: Path) -> None:
    (folder_of(voc_root) / "JPEGImages" / "2007_000005.jpg").unlink()
    (folder_of(voc_root) / "SegmentationClass" / "2008_000003.png").unlink()
    with pytest.raises(
        ConfigError,
        match=r"2 of the files that .*list are missing in .*VOC2012: SegmentationClass/2008_000003\.png, "
        r"JPEGImages/2007_000005\.jpg; .*set data\.on_error=skip",
    ):
        bundle(voc_root)
    data = bundle(voc_root, on_error="skip")
    assert fetch(data.val).ids == ("2010_000006", "2011_000007")
    assert (len(fetch(data.train)), data.train.num_skipped, data.val.num_skipped) == (3, 1, 1)


def test_a_mask_of_other_values_is_named(voc_root: Path) -> None:
    path = folder_of(voc_root) / "SegmentationClass" / "2010_000006.png"
    write_mask(path, class_map({DOG: (EVERYTHING, EVERYTHING), 21: (0, 0), 254: (0, 1)}))
    with pytest.raises(ImageError, match=r"2010_000006\.png has the values 21, 254; a class mask has only 0 "):
        fetch(bundle(voc_root).val)


@pytest.mark.parametrize("how", ["RGB", "optimised", "L"])
def test_a_mask_is_read_by_its_colours(voc_root: Path, how: str) -> None:
    """An optimiser keeps the colours that are there, in another order, so that the indices mean nothing."""
    path = folder_of(voc_root) / "SegmentationClass" / "2007_000005.png"
    expected = fetch(bundle(voc_root).val)
    with Image.open(path) as mask:
        values_HW, coloured = np.array(mask), mask.convert("RGB")
    if how == "optimised":
        used = [DOG, 0, CAT]
        indices_HW = sum(index * (values_HW == value) for index, value in enumerate(used)).astype(np.uint8)
        optimised = Image.fromarray(indices_HW, "P")
        optimised.putpalette([level for value in used for level in palette()[3 * value : 3 * value + 3]])
        optimised.save(path)
    else:
        (coloured if how == "RGB" else Image.fromarray(values_HW)).save(path)
    found = fetch(bundle(voc_root).val)
    assert torch.equal(tensors_of(found)[1], tensors_of(expected)[1])
    assert torch.equal(found.background_BHW, expected.background_BHW)


def test_other_colours_are_refused_with_the_reason(voc_root: Path) -> None:
    path = folder_of(voc_root) / "SegmentationClass" / "2010_000006.png"
    mask = Image.fromarray(class_map({DOG: (EVERYTHING, slice(0, 9))}), "P")
    mask.putpalette([9, 8, 7] * 256)
    mask.save(path)
    with pytest.raises(ImageError, match=r"2010_000006\.png cannot be read \(it is in colour, such as \(9, 8, 7\), so"):
        fetch(bundle(voc_root).val)


def test_an_image_without_an_object_is_named_or_skipped(voc_root: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = folder_of(voc_root) / "SegmentationClass" / "2010_000006.png"
    write_mask(path, class_map({VOID: (slice(0, 9), EVERYTHING)}))
    with pytest.raises(ImageError, match=r"2010_000006\.png shows no object: .*set data\.on_error=skip"):
        fetch(bundle(voc_root).val)
    with caplog.at_level(logging.WARNING):
        assert fetch(bundle(voc_root, on_error="skip").val).ids == ("2007_000005", "2011_000007")
    assert "2010_000006.png shows no object" in caplog.text


def packed(root: Path) -> tuple[str, str]:
    """Pack the data set as its site does; return the archive's name and its MD5."""
    path = root / DATASET_YEAR_DICT["2012"]["filename"]
    with tarfile.open(path, "w") as archive:
        archive.add(root / "VOCdevkit", arcname="VOCdevkit")
    return path.name, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


# torchvision unpacks without the filter that Python 3.12 asks for.
@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter:DeprecationWarning")
def test_download_fetches_what_is_not_there_whole(
    voc_root: Path,
    serve: Callable[[Path], str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, md5 = packed(voc_root)
    source = {**DATASET_YEAR_DICT["2012"], "url": f"{serve(voc_root)}/{name}", "md5": md5}
    monkeypatch.setitem(DATASET_YEAR_DICT, "2012", source)
    target = tmp_path_factory.mktemp("fetched") / "new"
    fetched = bundle(target, download=True)
    assert fetched.train.digest() == bundle(voc_root).train.digest()
    image = folder_of(target) / "JPEGImages" / "2007_000005.jpg"
    image.unlink()
    assert len(bundle(target, download=True).val) == 3
    assert image.is_file()
    (target / name).unlink()
    monkeypatch.setitem(DATASET_YEAR_DICT, "2012", {**source, "url": "http://127.0.0.1:1/gone.tar"})
    assert len(bundle(target, download=True).val) == 3


def test_a_failed_download_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {**DATASET_YEAR_DICT["2012"], "url": (tmp_path / "gone.tar").as_uri()}
    monkeypatch.setitem(DATASET_YEAR_DICT, "2012", gone)
    with pytest.raises(ConfigError, match=r"data\.download: PASCAL VOC 2012 could not be fetched into .*gone"):
        bundle(tmp_path / "target", download=True)
