"""`campaign data check`: what it counts, which problems it sees, and what it prints."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from orchestrator.data.check import check_data_set
from orchestrator.data.published import Count, published_counts
from tests.trainables.imagenet_tree import id_map, write_hard_imagenet, write_ids, write_imagenet_s
from tests.trainables.voc_tree import write_voc
from trainables.config import DogsVsCats, HardImageNet, ImageNetS, OxfordPet, PascalVoc, SpuriousDigits

Cli = Callable[..., Any]


@pytest.fixture
def arguments(tmp_path: Path) -> tuple[Any, ...]:
    """The command that checks a tiny ImageNet-S of three classes without a cut."""
    write_imagenet_s(tmp_path)
    fields = (f"data.root={tmp_path}", "data.folder=ImageNetS3", "data.validation.source=held_out")
    return ("data", "check", "imagenet-s", *(word for field in fields for word in ("--set", field)))


def test_counts_of_a_whole_set(cli: Cli, arguments: tuple[Any, ...]) -> None:
    ran = cli(*arguments, "--decode", "--processes", "0", "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == {
        "config": "imagenet-s",
        "kind": "imagenet_s",
        "sets": {
            "train": {"images": 12, "with_mask": 3, "without_mask": 9, "classes": {"n01": 4, "n02": 4, "n03": 4}},
            "val": {"images": 6, "with_mask": 6, "without_mask": 0, "classes": {"n01": 2, "n02": 2, "n03": 2}},
        },
        "findings": [],
        "ok": True,
    }
    said = cli(*arguments)
    assert (said.code, said.out.splitlines()) == (
        0,
        [
            "train: 12 images, 3 with masks, 9 without; 3 classes of 4 to 4 images",
            "val: 6 images, 6 with masks, 0 without; 3 classes of 2 to 2 images",
            "no problems",
        ],
    )


def test_repeats_are_counted_once(cli: Cli, arguments: tuple[Any, ...]) -> None:
    ran = cli(*arguments, "--set", "data.oversample_masked=5", "--json")
    assert json.loads(ran.out)["sets"]["train"]["images"] == 12


@pytest.mark.parametrize("processes", ["0", "2"])
def test_every_broken_file_is_found_at_once(
    cli: Cli, arguments: tuple[Any, ...], tmp_path: Path, processes: str
) -> None:
    folder = tmp_path / "ImageNetS3"
    (folder / "train" / "n01" / "n01_2.JPEG").write_bytes(b"")
    (folder / "train" / "n02" / "n02_3.JPEG").write_text("<html>not found</html>")
    (folder / "train-semi-segmentation" / "n02" / "n02_1.png").unlink()
    write_ids(folder / "validation-segmentation" / "n03" / "ILSVRC2012_val_21.png", id_map({7: (0, 0), 1001: (0, 1)}))
    write_ids(folder / "validation-segmentation" / "n01" / "ILSVRC2012_val_00.png", id_map({1: (0, 0)}, (10, 10)))
    ran = cli(*arguments, "--decode", "--processes", processes, "--json")
    document = json.loads(ran.out)
    problems = {(problem["set"], problem["message"]) for problem in document["findings"]}
    assert (ran.code, document["ok"], len(problems)) == (2, False, 5)
    for name, words in (
        ("train", ("missing files (1): ", "n02_1.png; restore them")),
        ("train", ("empty files (1): ", "n01_2.JPEG; restore")),
        ("train", ("n02_3.JPEG cannot be read (cannot identify image file", "restore it")),
        ("val", ("ILSVRC2012_val_21.png has the ids 7, 1001; with 3 classes an id is 0 (other), 1 to 3",)),
        ("val", ("ILSVRC2012_val_00.png has shape (10, 10), but its image",)),
    ):
        assert any(name == place and all(word in message for word in words) for place, message in problems), words
    without = cli(*arguments)
    assert (without.code, without.out.splitlines()[-1]) == (2, "2 problems")


def test_many_problems_are_cut_short_for_people(cli: Cli, arguments: tuple[Any, ...], tmp_path: Path) -> None:
    folder = tmp_path / "ImageNetS3" / "train" / "n01"
    for number in range(30):
        (folder / f"n01_broken{number}.JPEG").write_text("no image")
    ran = cli(*arguments, "--decode", "--processes", "0")
    lines = ran.out.splitlines()
    assert (ran.code, lines[-1], len(lines)) == (2, "30 problems", 24)
    assert "  train: and 10 more; --json lists all" in lines


def test_published_counts_are_compared_with_what_is_there(tmp_path: Path) -> None:
    write_imagenet_s(tmp_path, folder="ImageNetS3").rename(tmp_path / "ImageNetS50")
    (tmp_path / "categories").mkdir()
    (tmp_path / "categories" / "ImageNetS_categories_im3.txt").write_text("n01\nn02\nn03\n")
    checked = check_data_set(ImageNetS(root=str(tmp_path)))
    assert {name: count.images for name, count in checked.sets.items()} == {"train": 11, "val": 1, "test": 6}
    findings = [problem for problem in checked.findings if "published" in problem.message]
    assert [(problem.set, problem.message.partition(";")[0]) for problem in findings] == [
        ("train", "12 images, 64419 fewer than the 64431 published"),
        ("train", "3 images with masks, 497 fewer than the 500 published"),
        ("test", "6 images, 746 fewer than the 752 published"),
    ]
    assert "data prepare imagenet-s adds what is missing" in findings[0].message


@pytest.mark.parametrize(
    ("config", "train", "test"),
    [
        (ImageNetS(root="/d", folder="ImageNetS919"), (1183322, 9190), (12419, 12419)),
        (ImageNetS(root="/d", folder="ImageNetS300", train="train"), (384862, 0), (4097, 4097)),
        (ImageNetS(root="/d", train="train-semi"), (500, 500), (752, 752)),
        (OxfordPet(root="/d"), (3680, 3680), (3669, 3669)),
        (PascalVoc(root="/d"), (1464, 1464), (1449, 1449)),
    ],
)
def test_published_counts(config: Any, train: tuple[int, int], test: tuple[int, int]) -> None:
    assert published_counts(config) == {"train": Count(*train), "test": Count(*test)}


def test_sets_of_ones_own_have_no_published_counts() -> None:
    assert published_counts(OxfordPet(root="/d", labels="present_breed")) == {}
    assert published_counts(ImageNetS(root="/d", folder="mine")) == {}
    assert published_counts(HardImageNet(root="/d", shift={"asirra": DogsVsCats()})) == {
        "shift.asirra": Count(25000, 0)
    }


def test_drawn_images_are_counted() -> None:
    checked = check_data_set(SpuriousDigits(num_train=50, num_test=20))
    assert checked.findings == []
    assert {name: (count.images, count.with_mask) for name, count in checked.sets.items()} == {
        "train": (50, 50),
        "val": (20, 20),
        "test": (20, 20),
        "shift.random_background": (20, 20),
        "shift.unseen_textures": (20, 20),
    }


def test_classes_that_only_masks_show_need_decoding(tmp_path: Path) -> None:
    write_voc(tmp_path)
    config = PascalVoc(root=str(tmp_path))
    assert check_data_set(config, published=False).sets["train"].classes is None
    classes = check_data_set(config, published=False, processes=0).sets["train"].classes
    assert classes is not None
    assert sum(classes.values()) == check_data_set(config, published=False).sets["train"].images


def test_hard_imagenet_and_shifted_sets_are_checked_too(tmp_path: Path) -> None:
    write_hard_imagenet(tmp_path)
    folder = tmp_path / "elsewhere" / "n01"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"")
    shift = {"mine": {"kind": "image_folder", "root": str(tmp_path / "elsewhere")}}
    checked = check_data_set(
        HardImageNet.model_validate({"root": str(tmp_path), "shift": shift, "validation": {"source": "held_out"}}),
        processes=0,
    )
    assert (checked.sets["train"].images, checked.sets["shift.mine"].images) == (6, 2)
    assert [(problem.set, "b.png" in problem.message) for problem in checked.findings] == [("shift.mine", True)]


def test_usage_errors_are_one_line(cli: Cli, arguments: tuple[Any, ...], tmp_path: Path) -> None:
    ran = cli(*arguments, "--processes", "2")
    assert (ran.code, ran.err) == (2, "error: --processes 2 has no effect without --decode\n")
    ran = cli("data", "check", "imagenet-s", "--set", f"data.root={tmp_path}/nowhere")
    assert (ran.code, ran.out) == (2, "")
    assert "set data.root to the folder that holds" in ran.err
