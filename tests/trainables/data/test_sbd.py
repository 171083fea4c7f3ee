"""The Semantic Boundaries Dataset."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from tests.trainables.sbd_tree import write_sbd
from tests.trainables.voc_tree import CAT, DOG, PERSON, TRAIN, class_map
from trainables.config import ConfigError, Sbd
from trainables.data import Batch, DataBundle, Draw, ImageError, ImageSet, build_data

HELD_OUT = {"source": "held_out"}


def bundle(root: Path, **fields: object) -> DataBundle:
    return build_data(Sbd.model_validate({"root": str(root), "image_size": 48, "validation": HELD_OUT, **fields}))


def fetch(dataset: ImageSet) -> Batch:
    return dataset.__getitems__([Draw(index, 0) for index in range(len(dataset))])


@pytest.mark.parametrize("folder", [".", "sbd", "benchmark_RELEASE/dataset"])
def test_lists_and_masks(tmp_path: Path, folder: str) -> None:
    write_sbd(tmp_path / folder)
    data = bundle(tmp_path)
    assert fetch(data.train_unaugmented).ids == tuple(TRAIN)
    assert fetch(data.test).ids == ("2007_000005", "2010_000006", "2011_000007")
    targets_BK = fetch(data.train_unaugmented).targets_BK
    assert targets_BK is not None
    found = [(targets_K.nonzero().flatten() + 1).tolist() for targets_K in targets_BK]
    assert found == [[CAT], [DOG], [CAT, DOG], [CAT, PERSON]]


def test_a_mask_is_the_segmentation_in_its_file(tmp_path: Path) -> None:
    write_sbd(tmp_path)
    classes_BHW = fetch(bundle(tmp_path).train_unaugmented).classes_BHW
    assert classes_BHW is not None
    assert torch.equal(classes_BHW[3], torch.from_numpy(class_map(TRAIN["2009_000004"])[:, 6:54]))


def test_another_list_to_train_on(tmp_path: Path) -> None:
    write_sbd(tmp_path)
    assert len(bundle(tmp_path, train="train_noval").train) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"other": np.zeros((2, 2))}, "it holds no GTcls.Segmentation of SBD: KeyError"),
        (None, "Unknown mat file type, version 0, 0"),
    ],
)
def test_masks_that_are_none(tmp_path: Path, content: dict[str, object] | None, reason: str) -> None:
    write_sbd(tmp_path)
    path = tmp_path / "cls" / "2007_000001.mat"
    savemat(path, content) if content else path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(ImageError) as error:
        fetch(bundle(tmp_path).train)
    assert f"{path} cannot be read ({reason}" in str(error.value)


def test_a_mask_whose_compressed_bytes_are_damaged(tmp_path: Path) -> None:
    """As the publisher's files are: 128 bytes of header, 8 of the element's type and size, and then zlib's."""
    write_sbd(tmp_path)
    path = tmp_path / "cls" / "2007_000001.mat"
    savemat(path, {"GTcls": {"Segmentation": np.zeros((60, 80), dtype=np.uint8)}}, do_compression=True)
    content = bytearray(path.read_bytes())
    content[136:140] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(ImageError) as error:
        fetch(bundle(tmp_path).train)
    assert f"{path} cannot be read (Error -3 while decompressing data: incorrect header check)" in str(error.value)


def test_errors_say_what_to_unpack(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^data\.root: none of .* holds cls, the masks; unpack https"):
        bundle(tmp_path)
    write_sbd(tmp_path)
    (tmp_path / "cls" / "2007_000001.mat").unlink()
    with pytest.raises(ConfigError, match=r"^data\.root: 1 of the listed images and masks are missing: .*01\.mat; "):
        bundle(tmp_path)
    (tmp_path / "train_noval.txt").unlink()
    with pytest.raises(ConfigError, match=r"train_noval\.txt cannot be read .*cornell"):
        bundle(tmp_path, train="train_noval")
