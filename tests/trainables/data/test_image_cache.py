"""Copies of images on a node's own disk: what they save, and that no fault of theirs stops training."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.trainables.imagenet_tree import write_image, write_imagenet_s
from trainables.config import ConfigError, ImageNetS, SpuriousDigits, config_hash, experiment_from_tree
from trainables.data import Batch, DataBundle, Draw, ImageError, build_data, image_cache, training_batches
from trainables.data.image_cache import ImageCache, cache_of

Build = Callable[..., DataBundle]


@pytest.fixture(autouse=True)
def _no_warnings_yet() -> None:
    image_cache._warned.clear()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds a tiny ImageNet-S, read through a cache unless a field says otherwise."""
    write_imagenet_s(tmp_path / "data")

    def of(**fields: object) -> DataBundle:
        settings = {"root": str(tmp_path / "data"), "folder": "ImageNetS3", "image_size": 32, "cache_leaves_gib": 0}
        settings |= {"validation": {"source": "held_out"}, "cache": str(tmp_path / "cache"), **fields}
        return build_data(ImageNetS.model_validate(settings))

    return of


def fetch(bundle: DataBundle) -> Batch:
    return bundle.train.__getitems__([Draw(index, index) for index in range(len(bundle.train))])


def assert_same(first: Batch, second: Batch) -> None:
    assert first.ids == second.ids
    assert torch.equal(first.images_BCHW, second.images_BCHW)
    assert torch.equal(first.background_BHW, second.background_BHW)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_images_and_masks_are_copied_once_and_then_read_from_there(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fetch(build(cache=None, cache_leaves_gib=20))
    assert not (tmp_path / "cache").exists()
    assert_same(fetch(build()), expected)
    copies = files(tmp_path / "cache")
    assert len(copies) == 12 + 3
    originals = {path.read_bytes() for path in files(tmp_path / "data" / "ImageNetS3")}
    assert all(path.read_bytes() in originals for path in copies)

    def refuse(path: Path) -> bytes:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert_same(fetch(build()), expected)


def test_loader_processes_share_it(build: Build, tmp_path: Path) -> None:
    for _ in range(2):
        list(training_batches(build().train, batch_size=4, seed=0, epoch=1, processes=2))
        assert len(files(tmp_path / "cache")) == 12 + 3
    assert not [path for path in files(tmp_path / "cache") if path.name.startswith(".")]


def test_an_image_that_was_replaced_is_copied_anew(build: Build, tmp_path: Path) -> None:
    fetch(build())
    write_image(tmp_path / "data" / "ImageNetS3" / "train" / "n01" / "n01_0.JPEG", seed=99)
    assert_same(fetch(build()), fetch(build(cache=None, cache_leaves_gib=20)))


@pytest.mark.parametrize("damage", ["cut", "empty", "same size"])
def test_a_broken_copy_gives_way_to_the_original(build: Build, tmp_path: Path, damage: str) -> None:
    expected = fetch(build())
    copies = files(tmp_path / "cache")
    for path in copies:
        whole = path.read_bytes()
        path.write_bytes({"cut": whole[:50], "empty": b"", "same size": b"\0" * len(whole)}[damage])
    assert_same(fetch(build()), expected)
    assert_same(fetch(build()), expected)
    assert all(path.stat().st_size and path.read_bytes()[:10] != b"\0" * 10 for path in files(tmp_path / "cache"))


def test_a_broken_original_is_named_as_ever(build: Build, tmp_path: Path) -> None:
    broken = tmp_path / "data" / "ImageNetS3" / "train" / "n01" / "n01_0.JPEG"
    broken.write_text("<html>not found</html>")
    with pytest.raises(ImageError, match=rf"{broken} cannot be read \(cannot identify .*on_error=skip"):
        fetch(build())


def test_a_full_disk_is_left_alone_and_said_once(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = fetch(build(cache=None, cache_leaves_gib=20))
    free = 2**30 + 3 * 8000

    def disk_usage(_: Path) -> SimpleNamespace:
        return SimpleNamespace(free=free - sum(path.stat().st_size for path in files(tmp_path / "cache")))

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert_same(fetch(build(cache_leaves_gib=1)), expected)
    kept = files(tmp_path / "cache")
    assert 0 < len(kept) < 12
    assert sum(path.stat().st_size for path in kept) <= 3 * 8000
    assert [record.message for record in caplog.records] == [
        f"data.cache = {tmp_path}/cache is full; other images are read from their original files"
    ]


def test_a_folder_that_cannot_be_made_costs_a_warning_alone(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        batch = fetch(build(cache=str(tmp_path / "file" / "cache")))
    assert_same(batch, fetch(build(cache=None, cache_leaves_gib=20)))
    assert len(caplog.records) == 1
    assert "cannot be written to; images are read from their original files" in caplog.text


def test_it_changes_no_config_hash() -> None:
    tree = {"data": {"kind": "imagenet_s", "root": "/d"}}
    cached = {"data": {**tree["data"], "cache": "/local", "cache_leaves_gib": 3}}
    assert config_hash(experiment_from_tree(tree, source="a")) == config_hash(experiment_from_tree(cached, source="b"))
    config = experiment_from_tree(cached, source="b").data
    assert cache_of(config) == ImageCache(Path("/local"), 3 * 2**30)
    assert cache_of(SpuriousDigits()) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"kind": "imagenet_s", "root": "/d", "cache_leaves_gib": 3},
            r"cache_leaves_gib = 3 has no effect with data\.cac",
        ),
        ({"kind": "spurious_digits", "cache": "/local"}, r"data\.cache: unknown field"),
    ],
)
def test_settings_without_effect_are_refused(data: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment_from_tree({"data": data}, source="test")
