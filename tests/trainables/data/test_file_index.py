"""The file index: what it saves, what builds it again, and what it must not change."""

import logging
import os
import stat
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trainables.imagenet_tree import write_hard_imagenet, write_image, write_imagenet_s
from trainables.config import ConfigError, DataConfig, HardImageNet, ImageNetS, Validation
from trainables.data import DataBundle, FileIndex, build_data
from trainables.data.folders import Listing, list_folders

HELD_OUT = Validation(source="held_out")
"""The lists of the files as they are."""


class Counting:
    """Lists folders and records which."""

    def __init__(self) -> None:
        self.listed: list[str] = []

    def __call__(self, folders: Sequence[str]) -> list[Listing]:
        self.listed += folders
        return list_folders(folders)


def age(root: Path, by_s: int = 60) -> None:
    """Make every folder look as if it had changed a while ago."""
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        status = folder.stat()
        os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns - by_s * 10**9))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_imagenet_s(tmp_path / "data")
    write_hard_imagenet(tmp_path / "data")
    age(tmp_path / "data")
    return tmp_path / "data"


def imagenet_s(root: Path, **fields: object) -> ImageNetS:
    return ImageNetS.model_validate(
        {"root": str(root), "folder": "ImageNetS3", "image_size": 32, "validation": HELD_OUT, **fields}
    )


def described(bundle: DataBundle) -> list[object]:
    sets = (bundle.train, bundle.val, bundle.train_unaugmented)
    entries = [list(images.entries) for images in sets]  # type: ignore[attr-defined]
    return [bundle.class_names, entries, [images.digest() for images in sets]]


def configs(root: Path) -> list[DataConfig]:
    return [
        imagenet_s(root),
        imagenet_s(root, train="train"),
        imagenet_s(root, oversample_masked=3),
        HardImageNet(root=str(root), image_size=32, validation=HELD_OUT),
    ]


@pytest.mark.parametrize("index", range(4))
def test_a_stored_index_gives_the_same_data_without_listing_a_folder(root: Path, tmp_path: Path, index: int) -> None:
    config, look = configs(root)[index], Counting()
    stored = FileIndex(tmp_path / "manifests", look)
    made = described(build_data(config, stored))
    assert look.listed
    look.listed.clear()
    assert described(build_data(config, stored)) == made == described(build_data(config))
    assert look.listed == []


def test_digest_is_that_of_files_looked_at_one_by_one(root: Path) -> None:
    for config in configs(root):
        bundle = build_data(config)
        for images in (bundle.train, bundle.val):
            stored = images.digest()
            images._images = replace(images._images, digest=None)  # type: ignore[attr-defined]
            del images.__dict__["_digest"]
            assert images.digest() == stored


def test_an_index_depends_only_on_settings_that_choose_files(root: Path, tmp_path: Path) -> None:
    stored = FileIndex(tmp_path / "manifests")
    for fields in (
        {},
        {"image_size": 64},
        {"on_error": "skip"},
        {"loader_processes": 2},
        {"augmentation": {"flip": False}},
        {"validation": {"source": "cut"}},
    ):
        build_data(imagenet_s(root, **fields), stored)
    assert len(list((tmp_path / "manifests").iterdir())) == 1
    build_data(imagenet_s(root, train="train"), stored)
    assert len(list((tmp_path / "manifests").iterdir())) == 2


@pytest.mark.parametrize("change", ["added", "removed", "mask removed", "class added"])
def test_a_change_is_seen(root: Path, tmp_path: Path, change: str) -> None:
    folder, stored = root / "ImageNetS3", FileIndex(tmp_path / "manifests")
    config = imagenet_s(root, on_error="skip")
    before = build_data(config, stored)
    match change:
        case "added":
            write_image(folder / "train" / "n01" / "n01_9.JPEG")
        case "removed":
            (folder / "train" / "n02" / "n02_3.JPEG").unlink()
        case "mask removed":
            (folder / "validation-segmentation" / "n02" / "ILSVRC2012_val_10.png").unlink()
        case "class added":
            (folder / "train" / "n04").mkdir()
            with pytest.raises(ConfigError, match=r"only the first has n04"):
                build_data(config, stored)
            return
    age(root)
    after = build_data(config, stored)
    assert described(after) == described(build_data(config))
    assert (after.train.digest(), after.val.digest()) != (before.train.digest(), before.val.digest())
    look = Counting()
    build_data(config, FileIndex(tmp_path / "manifests", look))
    assert look.listed == []


def test_missing_masks_are_named_from_the_index_too(root: Path, tmp_path: Path) -> None:
    stored = FileIndex(tmp_path / "manifests")
    (root / "ImageNetS3" / "train-semi-segmentation" / "n03" / "n03_1.png").unlink()
    age(root)
    build_data(imagenet_s(root, on_error="skip"), stored)
    for _ in range(2):
        with pytest.raises(
            ConfigError, match=r"1 of 9 masks are missing in .*: train-semi-segmentation/n03/n03_1\.png"
        ):
            build_data(imagenet_s(root), stored)


def test_an_index_of_folders_that_may_still_change_is_not_stored(root: Path, tmp_path: Path) -> None:
    write_image(root / "ImageNetS3" / "train" / "n01" / "n01_9.JPEG")
    assert len(build_data(imagenet_s(root), FileIndex(tmp_path / "manifests")).train) == 13
    assert not (tmp_path / "manifests").exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "changed"])
def test_a_broken_index_is_built_again(
    root: Path, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    stored = FileIndex(tmp_path / "manifests")
    made = described(build_data(imagenet_s(root), stored))
    (path,) = (tmp_path / "manifests").iterdir()
    whole = path.read_bytes()
    middle = whole.index(b"train.names_N") + 60
    broken = {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "text": b"<html>not found</html>",
        "changed": whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 8]) + whole[middle + 8 :],
    }
    path.write_bytes(broken[damage])
    with caplog.at_level(logging.WARNING):
        assert described(build_data(imagenet_s(root), stored)) == made
    assert [record.message.startswith(f"{path} cannot be read and is built again") for record in caplog.records] == [
        True
    ]
    caplog.clear()
    assert described(build_data(imagenet_s(root), stored)) == made
    assert caplog.records == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into any folder")
def test_a_folder_that_cannot_be_written_to_costs_a_warning_alone(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "manifests"
    place.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    assert len(build_data(imagenet_s(root), FileIndex(place)).train) == 12
    assert "cannot be stored" in caplog.text


def test_a_folder_that_cannot_be_made_costs_a_warning_alone(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    assert len(build_data(imagenet_s(root), FileIndex(tmp_path / "file" / "manifests")).train) == 12
    assert "the index of the data's files cannot be stored" in caplog.text


def test_several_builders_at_once_leave_one_whole_index(root: Path, tmp_path: Path) -> None:
    stored, barrier = FileIndex(tmp_path / "manifests"), threading.Barrier(8)
    built: list[object] = []

    def build() -> None:
        barrier.wait()
        built.append(described(build_data(imagenet_s(root), stored)))

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 8
    assert all(each == built[0] for each in built)
    assert [path.suffix for path in (tmp_path / "manifests").iterdir()] == [".npz"]
