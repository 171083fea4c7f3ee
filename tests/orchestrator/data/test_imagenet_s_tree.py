"""`campaign data prepare imagenet-s` on the published layouts."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.data import links
from orchestrator.data.imagenet_s_tree import MERGED, plan_tree
from orchestrator.data.links import link_all
from tests.orchestrator.data.publisher import WNIDS, val_name, write_imagenet, write_masks
from tests.trainables.imagenet_tree import write_imagenet_s
from trainables.config import ConfigError, ImageNetS
from trainables.data import build_data

Cli = Callable[..., Any]
IMAGES = {
    "train/n01": ["n01_0.JPEG", "n01_1.JPEG", "n01_2.JPEG"],
    "train/n03": ["n03_0.JPEG", "n03_1.JPEG", "n03_2.JPEG"],
    "train-semi/n01": ["n01_0.JPEG"],
    "train-semi/n03": ["n03_0.JPEG"],
    "train-semi-segmentation/n01": ["n01_0.png"],
    "train-semi-segmentation/n03": ["n03_0.png"],
    "validation/n01": [val_name(0, 0), val_name(0, 1)],
    "validation/n03": [val_name(2, 0), val_name(2, 1)],
    "validation-segmentation/n01": [val_name(0, 0).replace("JPEG", "png"), val_name(0, 1).replace("JPEG", "png")],
    "validation-segmentation/n03": [val_name(2, 0).replace("JPEG", "png"), val_name(2, 1).replace("JPEG", "png")],
}


@pytest.fixture
def places(tmp_path: Path) -> tuple[Any, ...]:
    """ImageNet with a flat val, the masks of a set of two of its three classes, and where the set is to lie."""
    imagenet = write_imagenet(tmp_path / "imagenet", flat_val=True)
    masks = write_masks(tmp_path / "masks", "ImageNetS2", ("n01", "n03"))
    return ("--imagenet", imagenet, "--annotations", masks, "--root", tmp_path / "out")


def tree(folder: Path) -> dict[str, list[str]]:
    files = [path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir() and path.name[0] != "."]
    return {
        parent: sorted(path.name for path in files if str(path.parent) == parent)
        for parent in sorted({str(path.parent) for path in files})
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["hard", "symlink", "copy"])
@pytest.mark.parametrize("flat_val", [True, False])
def test_tree_has_the_layout_that_is_read(cli: Cli, tmp_path: Path, kind: str, flat_val: bool) -> None:
    imagenet = write_imagenet(tmp_path / "imagenet", flat_val=flat_val)
    masks = write_masks(tmp_path / "masks", "ImageNetS2", ("n01", "n03"))
    out = tmp_path / "out"
    arguments = ("--imagenet", imagenet, "--annotations", masks, "--root", out, "--link", kind)
    ran = cli("data", "prepare", "imagenet-s", *arguments)
    assert ran.code == 0, ran.err
    assert f"{out}/ImageNetS2/train: 6 linked, 0 already there" in ran.out
    assert tree(out / "ImageNetS2") == IMAGES
    made, source = out / "ImageNetS2" / "train-semi" / "n03" / "n03_0.JPEG", imagenet / "train" / "n03" / "n03_0.JPEG"
    assert made.read_text() == "train n03 0"
    assert (made.is_symlink(), made.samefile(source)) == (kind == "symlink", kind != "copy")
    assert (out / "ImageNetS2" / "validation" / "n03" / val_name(2, 1)).read_text() == "val n03 1"


def test_again_changes_nothing_and_goes_on_where_it_was_cut_off(cli: Cli, places: tuple[Any, ...]) -> None:
    folder = places[-1] / "ImageNetS2"
    assert cli("data", "prepare", "imagenet-s", *places).code == 0
    for lost in ("train/n01/n01_1.JPEG", f"validation/n03/{val_name(2, 0)}"):
        (folder / lost).unlink()
    ran = cli("data", "prepare", "imagenet-s", *places, "--json")
    (document,) = json.loads(ran.out)["sets"]
    assert document["splits"] == {
        "train": {"linked": 1, "there": 5},
        "train-semi": {"linked": 0, "there": 2},
        "train-semi-segmentation": {"linked": 0, "there": 2},
        "validation": {"linked": 1, "there": 3},
        "validation-segmentation": {"linked": 0, "there": 4},
    }
    assert (document["folder"], document["classes"], document["missing"]) == ("ImageNetS2", 2, [])
    assert tree(folder) == IMAGES


def test_a_copy_that_breaks_off_leaves_no_image_behind(
    cli: Cli, places: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = links.shutil.copyfile

    def break_off(source: Path, target: Path) -> None:
        copy(source, target)
        if source.name == "n03_1.JPEG":
            target.write_text("tra")
            raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(links.shutil, "copyfile", break_off)
    ran = cli("data", "prepare", "imagenet-s", *places, "--link", "copy")
    assert (ran.code, "No space left on device" in ran.err) == (1, True)
    folder = places[-1] / "ImageNetS2"
    assert not (folder / "train" / "n03" / "n03_1.JPEG").exists()
    monkeypatch.undo()
    assert cli("data", "prepare", "imagenet-s", *places, "--link", "copy").code == 0
    assert tree(folder) == IMAGES
    assert (folder / "train" / "n03" / "n03_1.JPEG").read_text() == "train n03 1"


def test_dry_run_counts_and_writes_nothing(cli: Cli, places: tuple[Any, ...]) -> None:
    ran = cli("data", "prepare", "imagenet-s", *places, "--dry-run")
    assert (ran.code, places[-1].exists()) == (0, False)
    assert "train: 6 to link, 0 already there" in ran.out


def test_missing_images_are_named_before_anything_is_made(cli: Cli, places: tuple[Any, ...]) -> None:
    imagenet, out = places[1], places[-1]
    (imagenet / "train" / "n01" / "n01_0.JPEG").unlink()
    (imagenet / "val" / val_name(2, 1)).unlink()
    ran = cli("data", "prepare", "imagenet-s", *places)
    assert (ran.code, ran.out, out.exists()) == (2, "", False)
    assert "--imagenet: ImageNetS2: images with masks that are not in" in ran.err
    assert "train-semi/n01/n01_0, validation/n03/ILSVRC2012_val_00000201; add them, or" in ran.err
    ran = cli("data", "prepare", "imagenet-s", *places, "--skip-missing", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["sets"][0]["missing"] == [
        "train-semi/n01/n01_0",
        "validation/n03/ILSVRC2012_val_00000201",
    ]
    assert tree(out / "ImageNetS2")["validation/n03"] == [val_name(2, 0)]


def test_masks_may_lie_where_the_set_is_made(cli: Cli, places: tuple[Any, ...]) -> None:
    masks = places[3]
    ran = cli("data", "prepare", "imagenet-s", *places[:-1], masks, "--json")
    assert json.loads(ran.out)["sets"][0]["splits"].keys() == {"train", "train-semi", "validation"}
    assert tree(masks / "ImageNetS2") == IMAGES


def test_919_classes_take_in_those_merged_into_them(tmp_path: Path) -> None:
    """Images of a merged class have its name in theirs, and lie with the class that took it in."""
    kept = [f"n{number:08}" for number in range(914)] + list(MERGED.values())
    wnids = kept + list(MERGED)
    imagenet = write_imagenet(tmp_path / "imagenet", wnids, flat_val=True, num_train=1)
    masks = write_masks(tmp_path / "masks", "ImageNetS919", kept, wnids) / "ImageNetS919"
    merged = masks / "train-semi-segmentation" / "n04355933" / "n04356056_0.png"
    merged.write_text("mask")
    (masks / "validation-segmentation" / "n04355933" / val_name(wnids.index("n04356056"), 1)).with_suffix(
        ".png"
    ).write_text("mask")
    plan = plan_tree(imagenet, masks, tmp_path / "out")
    assert (len(plan.class_names), plan.missing) == (919, [])
    counts = [linked.made for linked in link_all(plan.jobs, "hard") if linked.split == "train"]
    assert (len(counts), sum(counts)) == (919, 924)
    folder = tmp_path / "out" / "ImageNetS919"
    assert names(folder / "train" / "n04355933") == ["n04355933_0.JPEG", "n04356056_0.JPEG"]
    assert not (folder / "train" / "n04356056").exists()
    assert names(folder / "train-semi" / "n04355933") == ["n04355933_0.JPEG", "n04356056_0.JPEG"]
    assert len(names(folder / "validation" / "n04355933")) == 3


def test_smaller_sets_take_in_none(tmp_path: Path) -> None:
    wnids = ("n04355933", "n04356056")
    imagenet = write_imagenet(tmp_path / "imagenet", wnids, flat_val=False)
    masks = write_masks(tmp_path / "masks", "mine", wnids[:1], wnids) / "mine"
    list(link_all(plan_tree(imagenet, masks, tmp_path).jobs, "hard"))
    assert len(names(tmp_path / "mine" / "train" / "n04355933")) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda imagenet, _: (imagenet / "val").rename(imagenet / "validation"), r"--imagenet: .*val cannot be read"),
        (lambda imagenet, _: (imagenet / "train" / "n03").rename(imagenet / "n03"), r"lacks 1 of those needed: n03; "),
        (lambda _, masks: (masks / "validation-segmentation" / "n03").rename(masks / "n03"), r"2 classes and .* has 1"),
        (
            lambda _, masks: masks.rename(masks.parent / "ImageNetS50"),
            r"holds 2 classes, but the folder's name says 50",
        ),
        (
            lambda _, masks: (masks / "validation-segmentation").rename(masks / "val"),
            r"--annotations: looked for Image",
        ),
    ],
)
def test_wrong_folders_are_named(
    cli: Cli, places: tuple[Any, ...], change: Callable[[Path, Path], object], message: str
) -> None:
    change(places[1], places[3] / "ImageNetS2")
    ran = cli("data", "prepare", "imagenet-s", *places)
    assert (ran.code, ran.out, places[-1].exists()) == (2, "", False)
    assert re.search(message, ran.err), ran.err


def test_another_file_of_the_same_name_stays(places: tuple[Any, ...]) -> None:
    other = places[-1] / "ImageNetS2" / "train" / "n01" / "n01_0.JPEG"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    plan = plan_tree(places[1], places[3] / "ImageNetS2", places[-1])
    with pytest.raises(ConfigError, match=r"n01_0\.JPEG has 4 bytes, but its original .* has 11; remove the first"):
        list(link_all(plan.jobs, "hard"))
    assert other.read_text() == "mine"


def test_a_broken_link_is_replaced(places: tuple[Any, ...]) -> None:
    broken = places[-1] / "ImageNetS2" / "train" / "n01" / "n01_0.JPEG"
    broken.parent.mkdir(parents=True)
    broken.symlink_to("/nowhere/n01_0.JPEG")
    list(link_all(plan_tree(places[1], places[3] / "ImageNetS2", places[-1]).jobs, "symlink"))
    assert broken.read_text() == f"train {WNIDS[0]} 0"


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system at /dev/shm")
def test_hard_links_to_another_file_system_are_refused(places: tuple[Any, ...]) -> None:
    root = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        if root.stat().st_dev == places[1].stat().st_dev:
            pytest.skip("/dev/shm is on the file system of temporary files")
        plan = plan_tree(places[1], places[3] / "ImageNetS2", root)
        with pytest.raises(
            ConfigError, match=r"--link hard: .* hard links only work within one file system: pass --link sym"
        ):
            list(link_all(plan.jobs, "hard"))
        list(link_all(plan.jobs, "symlink"))
        assert tree(root / "ImageNetS2") == IMAGES
    finally:
        shutil.rmtree(root)


@pytest.mark.parametrize("kind", ["hard", "symlink", "copy"])
def test_what_is_made_is_what_is_read(cli: Cli, tmp_path: Path, kind: str) -> None:
    """A whole tree is taken apart into what its publishers give out, and made again: the data are the same."""
    whole = write_imagenet_s(tmp_path / "whole")
    imagenet, masks, out = tmp_path / "imagenet", tmp_path / "masks" / "ImageNetS3", tmp_path / "out"
    shutil.copytree(whole / "train", imagenet / "train")
    (imagenet / "val").mkdir()
    for path in whole.glob("validation/*/*.JPEG"):
        shutil.copy(path, imagenet / "val")
    for split in ("train-semi", "validation"):
        shutil.copytree(whole / f"{split}-segmentation", masks / f"{split}-segmentation")
    places = ("--imagenet", imagenet, "--annotations", masks, "--root", out, "--link", kind)
    assert cli("data", "prepare", "imagenet-s", *places).code == 0
    fields = ("--set", f"data.root={out}", "--set", "data.folder=ImageNetS3")
    fields += ("--set", "data.validation.source=held_out")
    ran = cli("data", "check", "imagenet-s", *fields, "--full", "--processes", "0", "--sheet", tmp_path / "sheet.png")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "no problems")
    first, second = (build_data(ImageNetS(root=str(root), folder="ImageNetS3")) for root in (tmp_path / "whole", out))
    assert [first.train.digest(), first.val.digest()] == [second.train.digest(), second.val.digest()]
