"""`campaign data check`: what it counts, which problems it sees, and what it prints."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from orchestrator.data.check import Checked, SetCount, check_data_set
from orchestrator.data.published import Count, published_counts
from tests.trainables.imagenet_tree import CLASSES, id_map, write_hard_imagenet, write_ids, write_imagenet_s
from tests.trainables.set_trees import WRITERS, write_waterbirds
from tests.trainables.voc_tree import write_voc
from trainables.config import (
    DataConfig,
    HardImageNet,
    ImageFolder,
    ImageNetS,
    SpuriousDigits,
    StandardSet,
    Validation,
)

Cli = Callable[..., Any]


def config_of(fields: dict[str, Any]) -> Any:
    """Return the data section with these fields; its folder is not read unless one is given."""
    return TypeAdapter(DataConfig).validate_python({"root": "/d", **fields})


@pytest.fixture
def arguments(tmp_path: Path) -> tuple[Any, ...]:
    """The command that checks a tiny ImageNet-S of three classes without a cut."""
    write_imagenet_s(tmp_path)
    fields = (f"data.root={tmp_path}", "data.folder=ImageNetS3", "data.validation.source=held_out")
    sheet = ("--sheet", str(tmp_path / "sheet.png"))
    return ("data", "check", "imagenet-s", *sheet, *(word for field in fields for word in ("--set", field)))


def test_counts_of_a_whole_set(cli: Cli, arguments: tuple[Any, ...]) -> None:
    ran = cli(*arguments, "--full", "--processes", "0", "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == {
        "config": "imagenet-s",
        "kind": "imagenet_s",
        "sets": {
            "train": {
                "images": 12,
                "with_mask": 3,
                "without_mask": 9,
                "classes": dict.fromkeys(CLASSES, 4),
                "read": 12,
            },
            "val": {"images": 6, "with_mask": 6, "without_mask": 0, "classes": dict.fromkeys(CLASSES, 2), "read": 6},
        },
        "findings": [],
        "notes": [],
        "sheet": arguments[4],
        "ok": True,
    }
    said = cli(*arguments)
    assert (said.code, said.out.splitlines()) == (
        0,
        [
            "train: 12 images, 3 with masks (25%), 9 without; n01 4, n02 4, n03 4; 12 read",
            "val: 6 images, 6 with masks (100%), 0 without; n01 2, n02 2, n03 2; 6 read",
            f"contact sheet: {arguments[4]}",
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
    ran = cli(*arguments, "--full", "--processes", processes, "--json")
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
    assert (without.code, without.out.splitlines()[-1]) == (2, "5 problems")


def test_many_problems_are_cut_short_for_people(cli: Cli, arguments: tuple[Any, ...], tmp_path: Path) -> None:
    folder = tmp_path / "ImageNetS3" / "train" / "n01"
    for number in range(30):
        (folder / f"n01_broken{number}.JPEG").write_text("no image")
    ran = cli(*arguments, "--full", "--processes", "0")
    lines = ran.out.splitlines()
    assert (ran.code, lines[-1], len(lines)) == (2, "30 problems", 25)
    assert "  train: and 10 more; --json lists all" in lines


def test_published_counts_are_compared_with_what_is_there(tmp_path: Path) -> None:
    write_imagenet_s(tmp_path, folder="ImageNetS3").rename(tmp_path / "ImageNetS50")
    (tmp_path / "categories").mkdir()
    (tmp_path / "categories" / "ImageNetS_categories_im3.txt").write_text("n01\nn02\nn03\n")
    checked = check_data_set(ImageNetS(root=str(tmp_path)))
    assert {name: count.images for name, count in checked.sets.items()} == {"train": 11, "val": 1, "test": 6}
    findings = [problem for problem in checked.findings if " published; " in problem.message]
    assert [(problem.set, problem.message.partition(";")[0]) for problem in findings] == [
        ("train", "12 images, 64419 fewer than the 64431 published"),
        ("train", "3 images with masks, 497 fewer than the 500 published"),
        ("test", "6 images, 746 fewer than the 752 published"),
    ]
    assert "data prepare imagenet-s adds what is missing" in findings[0].message


@pytest.mark.parametrize(
    ("fields", "train", "test"),
    [
        ({"kind": "imagenet_s", "folder": "ImageNetS919"}, (1183322, 9190), (12419, 12419)),
        ({"kind": "imagenet_s", "folder": "ImageNetS300", "train": "train"}, (384862, 0), (4097, 4097)),
        ({"kind": "imagenet_s", "train": "train-semi"}, (500, 500), (752, 752)),
        ({"kind": "oxford_pet"}, (3680, 3680), (3669, 3669)),
        ({"kind": "pascal_voc"}, (1464, 1464), (1449, 1449)),
        ({"kind": "sbd"}, (8498, 8498), (2857, 2857)),
        ({"kind": "cub"}, (5994, 5994), (5794, 5794)),
        ({"kind": "spawrious", "split": "m2m_easy"}, (25344, 0), (25344, 0)),
    ],
)
def test_published_counts(fields: dict[str, str], train: tuple[int, int], test: tuple[int, int]) -> None:
    assert published_counts(config_of(fields)) == {"train": Count(*train), "test": Count(*test)}


def test_published_counts_of_sets_with_validation_and_shifted_sets() -> None:
    assert published_counts(config_of({"kind": "urbancars"})) == {
        "train": Count(8000, 8000),
        "val": Count(1000, 1000),
        "test": Count(1000, 1000),
    }
    variants = ("mixed_same", "mixed_rand", "mixed_next", "only_fg")
    assert published_counts(config_of({"kind": "imagenet_9"})) == {
        "test": Count(4050, 4050),
        **{f"shift.{name}": Count(4050, 0) for name in variants},
    }
    assert published_counts(config_of({"kind": "hard_imagenet", "train": "balanced"})) == {}, (
        "images without a mask are left out"
    )


def test_metashift_has_as_many_images_as_its_table_says(tmp_path: Path) -> None:
    config = StandardSet(root=str(tmp_path), kind="metashift")
    assert published_counts(config) == {}
    (tmp_path / "metadata_metashift.csv").touch()
    assert published_counts(config) == {
        "train": Count(2276, 0, "as remembered"),
        "val": Count(349, 0, "as remembered"),
        "test": Count(874, 0, "as remembered"),
    }


def test_a_publishers_own_validation_images_are_counted_alone(tmp_path: Path) -> None:
    checked = check_data_set(StandardSet(root=str(tmp_path), **write_waterbirds(tmp_path)))
    assert {name: (count.images, count.with_mask) for name, count in checked.sets.items()} == {
        "train": (5, 5),
        "val": (3, 3),
        "test": (3, 3),
    }
    assert [(problem.set, problem.message.partition(";")[0]) for problem in checked.findings] == [
        ("train", "5 images, 4790 fewer than the 4795 published"),
        ("val", "3 images, 1196 fewer than the 1199 published"),
        ("test", "3 images, 5791 fewer than the 5794 published"),
    ]


@pytest.mark.parametrize(
    ("kind", "with_mask"), [("imagenet_9", (0, 4)), ("imagenet_boxes", (4, 4)), ("rival10", (6, 6))]
)
def test_masks_that_are_no_images_are_checked_too(tmp_path: Path, kind: str, with_mask: tuple[int, int]) -> None:
    settings = {**WRITERS[kind](tmp_path), "validation": {"source": "held_out"}}
    checked = check_data_set(
        StandardSet.model_validate({"root": str(tmp_path), **settings}), full=True, published=False
    )
    assert (checked.sets["train"].with_mask, checked.sets["val"].with_mask) == with_mask
    assert checked.findings == []


def test_where_no_one_says_how_many_have_masks_only_images_are_compared(tmp_path: Path) -> None:
    settings = WRITERS["rival10"](tmp_path)
    (tmp_path / "RIVAL10" / "train" / "entire_object_masks" / "n03796401_0.JPEG").unlink()
    checked = check_data_set(StandardSet(root=str(tmp_path), **settings, validation=Validation(source="held_out")))
    assert [(problem.set, problem.message.partition(";")[0]) for problem in checked.findings] == [
        ("train", "6 images, 21092 fewer than the 21098 as remembered"),
        ("test", "6 images, 5280 fewer than the 5286 as remembered"),
    ]


def test_sets_of_ones_own_have_no_published_counts() -> None:
    assert published_counts(config_of({"kind": "oxford_pet", "labels": "present_breed"})) == {}
    assert published_counts(config_of({"kind": "imagenet_s", "folder": "mine"})) == {}
    shifted = config_of({"kind": "hard_imagenet", "shift": {"asirra": {"kind": "dogs_vs_cats"}}})
    assert published_counts(shifted) == {"shift.asirra": Count(25000, 0)}


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


def test_classes_that_only_masks_show_are_counted_where_all_are_read(tmp_path: Path) -> None:
    write_voc(tmp_path)
    count = check_data_set(config_of({"kind": "pascal_voc", "root": str(tmp_path)}), published=False).sets["train"]
    assert count.classes is not None
    assert sum(count.classes.values()) == count.images == count.read


def test_hard_imagenet_and_shifted_sets_are_checked_too(tmp_path: Path) -> None:
    write_hard_imagenet(tmp_path)
    folder = tmp_path / "elsewhere" / "n01"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"")
    shift = {"mine": {"kind": "image_folder", "root": str(tmp_path / "elsewhere")}}
    checked = check_data_set(
        HardImageNet.model_validate({"root": str(tmp_path), "shift": shift, "validation": {"source": "held_out"}}),
        full=True,
    )
    assert (checked.sets["train"].images, checked.sets["shift.mine"].images) == (6, 2)
    assert [(problem.set, problem.message.partition(":")[0]) for problem in checked.findings] == [
        ("shift.mine", "empty files (1)"),
        ("val", "files of the same bytes as in train (3)"),
    ]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two classes of four training and three test images of 32 pixels, each with a mask of its bright square."""
    for seed, (split, num) in enumerate((("train", 4), ("test", 3))):
        for name in ("cat", "dog"):
            for index in range(num):
                write_masked(tmp_path, f"{split}/{name}/{index}", seed=1000 * seed + 10 * index + ord(name[0]))
    return tmp_path


def write_masked(root: Path, name: str, *, seed: int, corner: tuple[int, int] = (3, 5)) -> None:
    """Write a dark image with a bright square, and the square's mask."""
    rng = np.random.default_rng(seed)
    image, mask = rng.integers(0, 60, (32, 32, 3)), np.zeros((32, 32))
    place = tuple(slice(start, start + 10) for start in corner)
    image[place], mask[place] = rng.integers(190, 256, 3), 255
    for path, pixels in ((root / f"{name}.png", image), (root / f"masks/{name}.png", mask)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)


def checked_folders(root: Path, **options: Any) -> Checked:
    masks = {"kind": "nonzero", "folder": "masks"}
    fields = {"root": str(root), "image_size": 32, "masks": masks, "val": None, "test": "test"}
    return check_data_set(ImageFolder.model_validate({**fields, "validation": {"source": "held_out"}}), **options)


def said(checked: Checked, *, notes: bool = False) -> list[tuple[str, str]]:
    return [(each.set, each.message.partition(":")[0]) for each in (checked.notes if notes else checked.findings)]


def test_nothing_is_wrong_with_good_masks(folders: Path) -> None:
    checked = checked_folders(folders, full=True)
    assert (checked.findings, checked.notes) == ([], [])
    assert checked.sets["train"] == SetCount(8, 8, 0, {"cat": 4, "dog": 4}, read=8)


def test_pipes_are_named_and_left_out_images_found_by_their_content(folders: Path) -> None:
    os.mkfifo(folders / "train" / "cat" / "pipe.png")
    (folders / "train" / "dog" / "1.png").rename(folders / "train" / "dog" / "1.pic")
    (folders / "train" / "dog" / "notes.txt").write_text("no image")
    checked = checked_folders(folders)
    assert [(each.set, each.message) for each in checked.findings] == [
        (
            "train",
            f"what cannot be read as a file (1): {folders}/train/cat/pipe.png (it is a named pipe, not a file); "
            "restore them, or set data.on_error=skip to leave them out",
        ),
        ("train", f"images whose endings leave them out (1): {folders}/train/dog/1.pic; rename them"),
    ]
    assert said(checked, notes=True) == [("train", "left out (1)")]


def test_images_that_splits_share_are_found(folders: Path) -> None:
    """One test image is a copy of a training image, and one has its pixels in another file."""
    shutil.copy(folders / "train" / "cat" / "1.png", folders / "test" / "cat" / "copy.png")
    with Image.open(folders / "train" / "dog" / "2.png") as image:
        image.save(folders / "test" / "dog" / "again.bmp")
    (first,) = checked_folders(folders).findings
    assert first.set == "val"
    assert first.message == (
        f"files of the same bytes as in train (1): {folders}/train/cat/1.png = {folders}/test/cat/copy.png; an image "
        "must be in one split alone"
    )
    same_bytes, same_pixels = checked_folders(folders, full=True).findings
    assert same_bytes == first
    assert same_pixels.message == (
        f"images of the same pixels as in train (1): {folders}/train/dog/2.png = {folders}/test/dog/again.bmp; an "
        "image must be in one split alone"
    )


def test_a_shifted_set_may_show_images_of_its_own_split_alone(folders: Path) -> None:
    """Of two shifted sets one has a test image and one a training image; the first shares its image with the test."""
    for name, source in (("usual", "test"), ("leak", "train")):
        for label in ("cat", "dog"):
            (folders / name / label).mkdir(parents=True)
            shutil.copy(folders / source / label / "1.png", folders / name / label / "copy.png")
    fields = {"root": str(folders), "image_size": 32, "val": None, "test": "test", "validation": {"source": "held_out"}}
    shift = {name: {"kind": "image_folder", "root": str(folders / name)} for name in ("usual", "leak")}
    checked = check_data_set(ImageFolder.model_validate({**fields, "shift": shift}), full=True)
    assert said(checked) == [("shift.leak", "files of the same bytes as in train (2)")]
    assert said(checked, notes=True) == [("shift.usual", "files of the same bytes as in val (2)")]


def test_masks_without_an_object_are_noted_and_are_a_problem_where_all_are(folders: Path) -> None:
    masks = sorted((folders / "masks" / "test").rglob("*.png"))
    Image.new("L", (32, 32)).save(masks[0])
    checked = checked_folders(folders)
    assert (said(checked), said(checked, notes=True)) == (
        [],
        [("val", "masks that show no object (1 of 6 that were read)")],
    )
    for path in masks:
        Image.new("L", (32, 32)).save(path)
    assert said(checked_folders(folders)) == [("val", "masks that show no object (6 of 6 that were read)")]


def test_masks_of_another_size_are_counted(folders: Path) -> None:
    for path in (folders / "masks" / "test").rglob("*.png"):
        Image.new("L", (30, 32), 255).save(path)
    (problem,) = checked_folders(folders).findings
    assert problem.message.startswith("masks of another size than their images (6 of 6 read): ")


@pytest.mark.parametrize("is_exif", [True, False])
def test_masks_that_fit_only_after_a_turn_are_found(tmp_path: Path, is_exif: bool) -> None:
    """The masks were made of pixels as they are stored, or were saved turned."""
    for split, num in (("train", 6), ("test", 1)):
        for name in ("cat", "dog"):
            for index in range(num):
                write_masked(tmp_path, f"{split}/{name}/{index}", seed=10 * index + num + ord(name[0]))
                path = tmp_path / split / name / f"{index}.png"
                with Image.open(path) as image, Image.open(tmp_path / "masks" / split / name / f"{index}.png") as mask:
                    image.load(), mask.load()
                exif = Image.Exif()
                exif[0x0112] = 6
                if is_exif:
                    image.save(path, exif=exif)
                else:
                    mask.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "masks" / split / name / f"{index}.png")
    expected = (
        "masks that fit their images only as these are stored (12 of 12 that EXIF turns)"
        if is_exif
        else "masks that fit their images better after a rotation by 270 degrees against the clock (12 of 12)"
    )
    assert said(checked_folders(tmp_path)) == [("train", expected)]


def test_unicode_forms_that_count_as_one_class_are_noted(folders: Path) -> None:
    for split, name in (("train", "caf\u00e9"), ("test", "cafe\u0301")):
        (folders / split / "dog").rename(folders / split / name)
        (folders / "masks" / split / "dog").rename(folders / "masks" / split / "caf\u00e9")
    checked = checked_folders(folders)
    assert checked.sets["val"] == SetCount(6, 6, 0, {"cat": 3, "caf\u00e9": 3}, read=6)
    assert [(each.set, each.message) for each in checked.notes] == [
        (
            "val",
            "caf\u00e9 is in two Unicode forms, which count as one: 'caf\\xe9' in train, 'cafe\\u0301' in val",
        )
    ]


def test_only_a_sample_is_read_by_default(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.data.set_check.SAMPLE", 3)
    checked = checked_folders(folders)
    assert {name: count.read for name, count in checked.sets.items()} == {"train": 3, "val": 3}
    assert {name: count.read for name, count in checked_folders(folders, full=True).sets.items()} == {
        "train": 8,
        "val": 6,
    }


def test_the_contact_sheet_shows_every_class_of_every_set(folders: Path, cli: Cli) -> None:
    config = folders / "mine.yaml"
    config.write_text(
        f"data: {{kind: image_folder, root: {folders}, image_size: 32, val: null, test: test,\n"
        "  masks: {kind: nonzero, folder: masks}, validation: {source: held_out}}\n"
    )
    ran = cli("data", "check", config)
    sheet = folders / "mine-data.png"
    assert ran.out.splitlines()[-2:] == [f"contact sheet: {sheet}", "no problems"]
    with Image.open(sheet) as image:
        pixels = np.array(image)
    line = (pixels == [255, 0, 255]).all(2)
    # Images of 32 pixels are drawn five times as large. A square of 10 pixels has a line of 4 * 49 around it.
    assert line.sum() == 12 * 4 * 49


def test_a_sheet_that_cannot_be_written_is_one_line(cli: Cli, arguments: tuple[Any, ...], tmp_path: Path) -> None:
    ran = cli(*arguments, "--sheet", tmp_path / "nowhere" / "sheet.png")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: --sheet: {tmp_path}/nowhere/sheet.png cannot be written (No such file or directory)\n"


def test_usage_errors_are_one_line(cli: Cli, arguments: tuple[Any, ...], tmp_path: Path) -> None:
    ran = cli(*arguments, "--processes", "2")
    assert (ran.code, ran.err) == (2, "error: --processes 2 has no effect without --full\n")
    ran = cli("data", "check", "imagenet-s", "--set", f"data.root={tmp_path}/nowhere")
    assert (ran.code, ran.out) == (2, "")
    assert "set data.root to the folder that holds" in ran.err
