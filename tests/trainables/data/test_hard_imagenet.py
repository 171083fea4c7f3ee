import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainables.imagenet_tree import CLASSES, OWN, SIZE, write_hard_imagenet
from trainables.config import ConfigError, HardImageNet
from trainables.data import Batch, DataBundle, Draw, ImageError, ImageSet, build_data

HELD_OUT = {"source": "held_out"}
"""The lists of the publisher as they are."""


def bundle(root: Path, **fields: object) -> DataBundle:
    return build_data(
        HardImageNet.model_validate({"root": str(root), "image_size": 48, "validation": HELD_OUT, **fields})
    )


def fetch(dataset: ImageSet) -> Batch:
    return dataset.__getitems__([Draw(index, 0) for index in range(len(dataset))])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_hard_imagenet(tmp_path)
    return tmp_path


def write_mask(root: Path, mode: str) -> None:
    """Write the mask of the first validation image in another mode, where it has one at full transparency."""
    mask_HW = np.zeros(SIZE, dtype=np.uint8)
    mask_HW[OWN] = 1
    grey = Image.fromarray(mask_HW * 255 if mode in {"1", "P"} else mask_HW)
    mask = grey.convert(mode) if mode in {"1", "I;16"} else grey.convert("RGB").convert(mode)
    mask.save(root / "hardImageNet" / "val" / "n01_ILSVRC2012_val_n01.JPEG", format="PNG")


def test_images_with_a_mask_and_their_objects(root: Path) -> None:
    data = bundle(root)
    train, val = fetch(data.train), fetch(data.val)
    expected_HW = torch.ones(*SIZE)
    expected_HW[OWN] = 0
    assert data.class_names == CLASSES
    assert (train.labels_B.tolist(), val.labels_B.tolist()) == ([0, 0, 1, 1, 2, 2], [0, 1, 2])
    assert train.ids[:2] == ("n01__n01_0", "n01__n01_1")
    assert train.has_mask_B.all()
    assert torch.equal(val.background_BHW, expected_HW[:, 6:54].expand(3, 48, 48))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "I;16"])
def test_object_is_what_is_not_black(root: Path, mode: str) -> None:
    expected = fetch(bundle(root).val).background_BHW
    write_mask(root, mode)
    assert torch.equal(fetch(bundle(root).val).background_BHW, expected)


def test_a_mask_of_another_size_is_named(root: Path) -> None:
    Image.new("L", (10, 10)).save(root / "hardImageNet" / "val" / "n01_ILSVRC2012_val_n01.JPEG", format="PNG")
    with pytest.raises(ImageError, match=r"n01_ILSVRC2012_val_n01\.JPEG has shape \(10, 10\), but its image"):
        fetch(bundle(root).val)


def test_other_folders(root: Path) -> None:
    (root / "imagenet").rename(root / "ilsvrc")
    (root / "hardImageNet").rename(root / "masks")
    assert len(bundle(root, images="ilsvrc", masks="masks").train) == 6


def test_a_missing_folder_tells_the_layout(root: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"elsewhere/train cannot be read .*looked for elsewhere/{train,val}/<wnid>_<image> and imag",
    ):
        bundle(root, masks="elsewhere")


def test_a_name_that_is_no_mask_is_named(root: Path) -> None:
    (root / "hardImageNet" / "val" / "readme.txt").write_text("hello")
    with pytest.raises(ConfigError, match=r"hardImageNet/val has readme\.txt; expected masks <wnid>_<image>"):
        bundle(root)


def test_classes_that_differ_are_named(root: Path) -> None:
    (root / "hardImageNet" / "val" / "n01_ILSVRC2012_val_n01.JPEG").unlink()
    with pytest.raises(ConfigError, match=r"train has 3 classes and .*val has 2, .* only the first has n01"):
        bundle(root)


def test_a_missing_image_is_named(root: Path) -> None:
    (root / "imagenet" / "train" / "n02" / "n02_1.JPEG").unlink()
    with pytest.raises(
        ConfigError,
        match=r"1 of 9 images that have a mask are missing in .*: imagenet/train/n02/n02_1\.JPEG; .*ski",
    ):
        bundle(root)
    data = bundle(root, on_error="skip")
    assert (len(fetch(data.train)), data.train.num_skipped) == (5, 1)


def test_classes_may_have_an_underscore(root: Path) -> None:
    """Every file is renamed; golden is a class too, and golden_retriever_1 could be its image retriever_1."""
    for place in ("imagenet/train", "imagenet/val"):
        (root / place / "n01").rename(root / place / "golden")
        (root / place / "n02").rename(root / place / "golden_retriever")
    for split in ("train", "val"):
        for old, new in (("n01", "golden"), ("n02", "golden_retriever")):
            for path in (root / "hardImageNet" / split).glob(f"{old}_*"):
                path.rename(path.with_name(path.name.replace(old, new, 1)))
    data = bundle(root)
    assert data.class_names == ("golden", "golden_retriever", "n03")
    assert fetch(data.train).labels_B.tolist() == [0, 0, 1, 1, 2, 2]
    assert fetch(data.train).ids[:3] == ("golden__n01_0", "golden__n01_1", "golden_retriever__n02_0")
    taken = root / "imagenet" / "train" / "golden" / "retriever_n02_0.JPEG"
    shutil.copy(root / "imagenet" / "train" / "golden_retriever" / "n02_0.JPEG", taken)
    message = r"golden_retriever_n02_0\.JPEG fits golden/retriever_n02_0\.JPEG and golden_retriever/n02_0\.JPEG in "
    with pytest.raises(ConfigError, match=message):
        bundle(root)


def test_hidden_files_are_no_masks(root: Path) -> None:
    for name in ("._n01_n01_0.JPEG", "Thumbs.db", "desktop.ini"):
        (root / "hardImageNet" / "train" / name).write_bytes(b"no mask")
    assert len(bundle(root).train) == 6
