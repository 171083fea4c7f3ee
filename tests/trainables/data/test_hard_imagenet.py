import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainables.imagenet_tree import CLASSES, OWN, SIZE, write_hard_imagenet
from trainables.config import ConfigError, HardImageNet
from trainables.data import Batch, DataBundle, Draw, ImageError, ImageSet, build_data, ranking

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


class TestBalanced:
    """One image at each end of the ranking, in place of a hundred; each class has the images 0 and 1 with masks."""

    @pytest.fixture(autouse=True)
    def one_at_each_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ranking, "NUM_AT_EACH_END", 1)

    def rank(self, root: Path, name: str = "meta/paths_by_rank.pkl") -> Path:
        """Write the ranking 0, 2, 1 of two classes and 1, 2, 0 of one; image 2 has no mask."""
        path = root / "hardImageNet" / name
        path.parent.mkdir(exist_ok=True)
        orders = {"n01": "021", "n02": "120", "n03": "021"}
        paths = {wnid: [f"train/{wnid}/{wnid}_{number}.JPEG" for number in order] for wnid, order in orders.items()}
        if path.suffix == ".txt":
            path.write_text("\n".join(line for lines in paths.values() for line in lines))
        else:
            path.write_bytes(pickle.dumps(dict(enumerate(paths.values()))))
        return path

    @pytest.mark.parametrize("name", ["meta/paths_by_rank.pkl", "paths_by_rank2.pkl", "meta/paths_by_rank.txt"])
    def test_both_ends_of_the_ranking(self, root: Path, name: str) -> None:
        for number in range(3, 5):
            shutil.copy(root / "imagenet/train/n01/n01_0.JPEG", root / f"imagenet/train/n01/n01_{number}.JPEG")
            shutil.copy(root / "hardImageNet/train/n01_n01_0.JPEG", root / f"hardImageNet/train/n01_n01_{number}.JPEG")
        self.rank(root, name)
        balanced, whole = bundle(root, train="balanced"), bundle(root)
        names = [f"{wnid}__{wnid}_{number}" for wnid in CLASSES for number in range(2)]
        assert fetch(balanced.train_unaugmented).ids == tuple(names)
        assert len(whole.train) == len(names) + 2
        assert len(balanced.test) == len(whole.test)
        assert balanced.train.digest() != whole.train.digest()

    def test_the_publishers_own_ranking_comes_first(self, root: Path) -> None:
        self.rank(root)
        (root / "hardImageNet" / "paths_by_rank2.pkl").write_bytes(pickle.dumps({0: ["train/n02/n02_1.JPEG"]}))
        assert fetch(bundle(root, train="balanced").train).ids == ("n02__n02_1",)

    def test_another_ranking_is_another_digest(self, root: Path) -> None:
        path = self.rank(root)
        before = bundle(root, train="balanced").train.digest()
        assert bundle(root, train="balanced").train.digest() == before
        path.write_bytes(pickle.dumps({0: ["train/n01/n01_0.JPEG"], 1: ["train/n02/n02_1.JPEG"]}))
        assert bundle(root, train="balanced").train.digest() != before

    def test_a_pickle_runs_no_code(self, root: Path, tmp_path: Path) -> None:
        class Harmful:
            def __reduce__(self) -> tuple[object, ...]:
                return os.mkdir, (str(tmp_path / "harm"),)

        path = self.rank(root)
        path.write_bytes(pickle.dumps({0: [Harmful()]}))
        with pytest.raises(ConfigError) as error:
            bundle(root, train="balanced")
        assert str(error.value) == (
            f"data.train = balanced: {path} is no dictionary of lists of texts (it would import posix.mkdir); write "
            f"the paths to {path.with_name('paths_by_rank.txt')}, one in each line, in the order of their ranks"
        )
        assert not (tmp_path / "harm").exists()

    @pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(["a"])])
    def test_what_is_no_ranking(self, root: Path, content: bytes) -> None:
        self.rank(root).write_bytes(content)
        with pytest.raises(ConfigError, match=r"paths_by_rank\.pkl is no dictionary of lists of texts \("):
            bundle(root, train="balanced")

    def test_no_ranking(self, root: Path) -> None:
        with pytest.raises(ConfigError, match=r"^data\.train = balanced: neither of .*/hardImageNet and .*/meta holds"):
            bundle(root, train="balanced")

    def test_a_ranking_of_other_images(self, root: Path) -> None:
        self.rank(root).write_bytes(pickle.dumps({0: ["train/n09/n09_0.JPEG"]}))
        with pytest.raises(ConfigError, match=r"no training image below .*hardImageNet is in the ranking"):
            bundle(root, train="balanced")
