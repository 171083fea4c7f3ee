"""`campaign data compose` on a tree of plain colours: files, tables and messages."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from orchestrator.data.check import check_data_set
from orchestrator.data.compose.new_folder import new_folder
from orchestrator.data.compose.plan import SHIFTED
from orchestrator.data.compose.writing import Row, read_rows
from search_spaces import find_experiment
from trainables.config import ConfigError
from trainables.data import Draw, build_data
from trainables.data.image_files import ImageFiles

Cli = Callable[..., Any]
NUM = {"train": 20, "test": 4}
SCENES = 5
OBJECT = (slice(8, 24), slice(12, 36))
"""Rows and columns of an object, of 32 and 48."""
KINDS = {"forest": 0, "sea": 1}


def paint(path: Path, colour: tuple[int, int, int], inside: tuple[int, int, int] | None = None) -> None:
    pixels_HWC = np.full((32, 48, 3), colour, dtype=np.uint8)
    if inside is not None:
        pixels_HWC[OBJECT] = inside
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels_HWC).save(path)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cats and dogs in red on grey, of which the last has no mask, and scenes in blue or green."""
    root = tmp_path_factory.mktemp("tree")
    for label, name in enumerate(("cat", "dog")):
        for split, num in NUM.items():
            for index in range(num):
                paint(root / f"mine/{split}/{name}/{index}.png", (90, 90, 90), (200 + index, 10 * label, 0))
                paint(root / f"mine/masks/{split}/{name}/{index}.png", (0, 0, 0), (255, 255, 255))
    paint(root / "mine/train/dog/unknown.png", (90, 90, 90))
    for kind, channel in KINDS.items():
        for index in range(SCENES):
            paint(root / f"scenes/{kind}/{index}.png", (0, 0, 100 + index) if channel else (0, 100 + index, 0))
            paint(root / f"all-object/{kind}/{index}.png", (255, 255, 255))
    lines = "\n  ".join(("kind: image_folder", f"root: {root}/mine", "val: test", "image_size: 32"))
    (root / "mine.yaml").write_text(f"data:\n  {lines}\n  masks: {{kind: nonzero, folder: masks}}\n")
    return root


@pytest.fixture
def compose(cli: Cli, tree: Path, tmp_path: Path) -> Cli:
    def run(*more: str, out: str = "out", scenes: str = "scenes") -> Any:
        arguments = (tree / "mine.yaml", "--scenes", tree / scenes, "--feather", 0, "--agreement", 0.75)
        return cli("data", "compose", *arguments, "--out", tmp_path / out, *more)

    return run


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.array(image)


def colours(root: Path, name: str) -> tuple[Any, Any]:
    """Return the one colour of an image's object and the one around it."""
    image_HWC, around_HW = pixels(root / name), np.ones((32, 48), dtype=np.bool_)
    around_HW[OBJECT] = False
    (inside,), (outside,) = np.unique(image_HWC[OBJECT].reshape(-1, 3), axis=0), np.unique(image_HWC[around_HW], axis=0)
    return tuple(inside.tolist()), tuple(outside.tolist())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_whole_set(compose: Cli, tree: Path, tmp_path: Path) -> None:
    ran = compose("--json")
    assert ran.code == 0, ran.err
    document, root = json.loads(ran.out), tmp_path / "out"
    assert document["groups"] == {
        "train": {
            "cat before forest": 12,
            "cat before sea": 4,
            "dog before forest": 4,
            "dog before sea": 12,
        },
        "val": dict.fromkeys(("cat before forest", "cat before sea", "dog before forest", "dog before sea"), 4),
        "test": dict.fromkeys(("cat before forest", "cat before sea", "dog before forest", "dog before sea"), 4),
    }
    assert document["own_kind"] == {"cat": "forest", "dog": "sea"}
    assert document["agreement"] == {"cat": [12, 16], "dog": [12, 16]}
    assert document["measured_agreement"] == 0.75
    assert document["shifted"] == dict.fromkeys(sorted(SHIFTED), 8)
    assert document["without_mask"] == {"train": 1, "val": 0, "test": 0}
    assert document["in_two_splits"] == 8  # Each test image is painted as one of the training images.
    kinds = {"train": 3, "val": 1, "test": 1}
    assert document["scenes"] == {split: dict.fromkeys(KINDS, num) for split, num in kinds.items()}
    check_splits(read_rows(root / "table.csv"))
    check_pixels(root, tree / "mine", read_rows(root / "table.csv"), read_rows(root / "shifted.csv"))
    check_config(root)


def check_splits(rows: list[Row]) -> None:
    check_splits_apart(rows)
    assert {row.object.partition("/")[0] for row in rows if row.split == "test"} == {"test"}
    assert {row.object.partition("/")[0] for row in rows if row.split != "test"} == {"train"}


def check_splits_apart(rows: list[Row]) -> None:
    for column in ("object", "scene", "source"):
        splits: dict[str, set[str]] = {}
        for row in rows:
            splits.setdefault(getattr(row, column), set()).add(row.split)
        assert {len(of_one) for of_one in splits.values()} == {1}, column


def check_pixels(root: Path, source: Path, rows: list[Row], shifted: list[Row]) -> None:
    """Compare objects with their images, what is around them with their scenes, and masks with both."""
    black, seen = (0, 0, 0), Counter(row.split for row in shifted)
    for row in [*rows, *shifted]:
        inside, outside = colours(root, row.path)
        scene = tuple(pixels(root / row.scene)[0, 0].tolist()) if row.scene else black
        expected = {
            "only_bg": (scene, scene),
            "no_fg": (black, scene),
            "clean": (colours(source, row.object)[0], (90, 90, 90)),
        }
        assert (inside, outside) == expected.get(row.split, (colours(source, row.object)[0], scene)), row
        assert row.kind == ("" if not row.scene else "sea" if scene[2] else "forest")
        if row.mask:
            mask_HW = pixels(root / row.mask)
            assert mask_HW[OBJECT].min() == 255
            assert mask_HW.sum() == 255 * 16 * 24
    assert seen == dict.fromkeys(SHIFTED, 8)
    assert {row.split for row in shifted if not row.mask} == {"only_bg"}


def check_config(root: Path) -> None:
    """The config that was written reads all sets, with groups in the three splits alone."""
    bundle = build_data(find_experiment(str(root / "config.yaml")).data)
    sets = bundle.named()
    assert {name: len(images) for name, images in sets.items()} == {
        "train": 32,
        "val": 16,
        "test": 16,
        **{f"shift.{name}": 8 for name in SHIFTED},
    }
    grouped = [name for name, images in sets.items() if isinstance(images, ImageFiles) and images.groups() is not None]
    assert grouped == ["train", "val", "test"]
    batch = bundle.shift["only_fg"].__getitems__([Draw(index, 0) for index in range(8)])
    assert batch.labels_B.tolist() == [0] * 4 + [1] * 4
    assert batch.has_mask_B.all()
    assert pixels(root / "contact-sheet.png").ndim == 3
    checked = check_data_set(find_experiment(str(root / "config.yaml")).data)
    assert checked.findings == []
    # Scenes are of one colour, so that each is the same wherever it is cut.
    assert [(note.set, note.message.partition(":")[0]) for note in checked.notes][:1] == [
        ("shift.mixed_same", "files of the same bytes as in test (8)")
    ]


def test_the_same_seed_makes_the_same_bytes(compose: Cli, tmp_path: Path) -> None:
    for out, seed in (("first", "1"), ("second", "1"), ("third", "2")):
        assert compose("--seed", seed, "--feather", "1", out=out).code == 0
    first, second, third = (files(tmp_path / out) for out in ("first", "second", "third"))
    for found in (first, second, third):
        del found["config.yaml"]  # It names its folder.
    assert first == second
    assert first["table.csv"] != third["table.csv"]


def test_kinds_by_colour_and_objects_that_are_taken_out(compose: Cli, tree: Path, tmp_path: Path) -> None:
    """The scenes' objects are white; nothing of them is left."""
    scenes, masks = tree / "with-objects", tree / "scene-masks"
    for name, colour in (("blue", (0, 0, 120)), ("green", (0, 120, 0))):
        for index in range(SCENES):
            paint(scenes / f"{name}{index}.png", (colour[0] + index, *colour[1:]), (255, 255, 255))
            paint(masks / f"{name}{index}.png", (0, 0, 0), (255, 255, 255))
    ran = compose("--kinds-by", "colour", "--scene-masks", str(masks), scenes="with-objects")
    assert ran.code == 0, ran.err
    assert "agreement in training: 0.7500" in ran.out
    assert "own kinds of scenes: cat colour-1, dog colour-2\n" in ran.out
    rows = read_rows(tmp_path / "out" / "table.csv")
    names = {row.kind: {Path(each.scene).name[:3] for each in rows if each.kind == row.kind} for row in rows}
    assert names == {"colour-1": {"blu"}, "colour-2": {"gre"}}
    assert max(pixels(tmp_path / "out" / row.scene).max() for row in rows) == 120


def test_a_scene_with_two_names_is_used_once(compose: Cli, tree: Path, tmp_path: Path) -> None:
    """Else the copy may be in another split."""
    shutil.copytree(tree / "scenes", tree / "copied")
    for index in range(SCENES):
        shutil.copy(tree / "scenes" / "sea" / f"{index}.png", tree / "copied" / "sea" / f"copy-of-{index}.png")
    ran = compose("--json", scenes="copied")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert document["scenes_left_out"] == SCENES
    assert [kinds["sea"] for kinds in document["scenes"].values()] == [3, 1, 1]
    assert len(list((tmp_path / "out" / "scenes").iterdir())) == 2 * SCENES


def test_an_image_of_an_object_is_no_scene(compose: Cli, tree: Path, tmp_path: Path) -> None:
    """Else it may be an object in one split and a scene in another."""
    shutil.copytree(tree / "scenes", tmp_path / "scenes")
    for kind, split in zip(KINDS, NUM, strict=True):
        shutil.copy(tree / "mine" / split / "cat" / "1.png", tmp_path / "scenes" / kind / "image.png")
    ran = compose("--json", scenes=str(tmp_path / "scenes"))
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert document["scenes_left_out"] == 2
    assert document["scenes"]["train"] == dict.fromkeys(KINDS, 3)
    assert len(list((tmp_path / "out" / "scenes").iterdir())) == 2 * SCENES


def test_scenes_that_are_all_images_of_the_objects_are_refused(compose: Cli, tree: Path, tmp_path: Path) -> None:
    lines = [f"mine/train/{name}/{index}.png,,{name}" for name in ("cat", "dog") for index in range(SCENES)]
    (tree / "images.csv").write_text("\n".join(["path,mask,kind", *lines]) + "\n")
    ran = compose(scenes="images.csv")
    assert ran.code == 2
    message = f"--scenes: all 10 are images of the objects, such as {tree}/mine/train/cat/0.png, and no image may be in"
    assert message in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_kind_without_a_scene_left_is_named(compose: Cli, tree: Path, tmp_path: Path) -> None:
    """Else the classes would have other kinds than their order says."""
    shutil.copytree(tree / "scenes", tmp_path / "scenes")
    shutil.copytree(tree / "scenes" / "sea", tmp_path / "scenes" / "zoo")
    ran = compose(scenes=str(tmp_path / "scenes"))
    assert ran.code == 2
    assert "--scenes: none of these kinds is left (1): zoo; their scenes show too little around their" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["scenes"]


def test_sources_of_the_objects_are_kept(cli: Cli, tree: Path, tmp_path: Path) -> None:
    """Each owner has two animals; without owners each animal is a source of its own."""
    files = [
        f"{split}/{name}/{index}.png,{name},{split},{split}{name}{index // 2}"
        for split, num in NUM.items()
        for name in ("cat", "dog")
        for index in range(num)
    ]
    (tree / "mine" / "owners.csv").write_text("\n".join(["path,label,split,owner", *files]) + "\n")
    lines = ["kind: table", f"root: {tree}/mine", "table: owners.csv", "image_size: 32", "columns: {source: owner}"]
    (tmp_path / "own.yaml").write_text("data:\n  " + "\n  ".join([*lines, "masks: {kind: nonzero, folder: masks}"]))
    compose = ("data", "compose", tmp_path / "own.yaml", "--scenes", tree / "scenes", "--agreement", 0.75)
    assert cli(*compose, "--out", tmp_path / "out").code == 0
    owner = {path: owner for path, _, _, owner in (line.split(",") for line in files)}
    pairs = {(row.source, owner[row.object]) for row in read_rows(tmp_path / "out" / "table.csv")}
    assert len(pairs) == len({source for source, _ in pairs}) == len(set(owner.values())) == len(files) // 2


def test_one_class_alone_is_refused(compose: Cli, tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree / "mine", tmp_path / "mine", ignore=shutil.ignore_patterns("dog"))
    ran = compose("--set", f"data.root={tmp_path}/mine")
    assert (ran.code, ran.err) == (
        2,
        f"error: data.root = {tmp_path}/mine: found one class alone, cat; composed data need two, of which each "
        "has its own kind of scene\n",
    )


def test_scenes_of_a_table(compose: Cli, tree: Path) -> None:
    paths = [f"scenes/{kind}/{index}.png,,{kind[0]}" for kind in KINDS for index in range(SCENES)]
    (tree / "scenes.csv").write_text("\n".join(["path,mask,kind", *paths]) + "\n")
    assert compose(scenes="scenes.csv", out=str(tree / "next-to-the-table")).code == 0
    assert {row.kind for row in read_rows(tree / "next-to-the-table" / "table.csv")} == {"f", "s"}


def test_scenes_elsewhere_have_names_below_the_folder_that_holds_all(compose: Cli, tree: Path, tmp_path: Path) -> None:
    """One kind by absolute paths, and one by paths that leave the folder of the table."""
    (tree / "lists").mkdir()
    paths = [f"{tree}/scenes/sea/{index}.png,,sea" for index in range(SCENES)]
    paths += [f"../scenes/forest/{index}.png,,forest" for index in range(SCENES)]
    (tree / "lists" / "scenes.csv").write_text("\n".join(["path,mask,kind", *paths]) + "\n")
    assert compose(scenes="lists/scenes.csv").code == 0
    rows = read_rows(tmp_path / "out" / "table.csv")
    assert {row.scene for row in rows} == {
        f"scenes/scenes__{kind}__{index}.png" for kind in KINDS for index in range(SCENES)
    }


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (("path,mask", "scenes/sea/0.png,"), (), "column = kind: {tree}/list.csv has no such column"),
        (("path,mask,kind", "scenes/sea/0.png,,"), (), "{tree}/list.csv, row 2, column kind: is empty"),
        (("path,mask,kind", "scenes/sea/0.png,,a/b"), (), "{tree}/list.csv, column kind: found a/b; a kind becomes"),
        (("path,mask,kind", "a.png,,b", "./a.png,,c"), (), "{tree}/list.csv, column path: a.png is there twice; each"),
        (("path,mask,kind", "a.png,,b"), ("--kinds-by", "folder"), "--kinds-by folder needs a folder, and --scenes"),
        (("path,mask,kind", "a.png,,b"), ("--scene-masks", "/m"), "--scene-masks has no effect, since the column mask"),
        (
            ("path,mask,kind", "scenes/sea/0.png,,a", "a.png,,a", "b.png,,a"),
            (),
            "{tree}/list.csv, row 3, column path: there is no file {tree}/a.png; correct the path, or leave the row "
            "out (and 1 more of 3 rows)",
        ),
        (
            ("path,mask,kind", "scenes/sea/0.png,m.png,a"),
            (),
            "{tree}/list.csv, row 2, column mask: there is no file {tree}/m.png; correct the path, or leave",
        ),
        (
            ("path,mask,kind", "scenes/sea/0.png,,b", "scenes/../scenes/sea/0.png,,b"),
            (),
            "column path: scenes/sea/0.png is there twice; each",
        ),
        (
            ("path,mask,kind", "scenes/sea/0.png,,b"),
            (),
            "one kind of scene, b; expected two or more; name each scene's kind in the column kind, or pass --kinds-by",
        ),
    ],
)
def test_a_table_of_scenes_that_is_wrong(
    compose: Cli, tree: Path, tmp_path: Path, rows: tuple[str, ...], more: tuple[str, ...], message: str
) -> None:
    (tree / "list.csv").write_text("\n".join(rows) + "\n")
    ran = compose(*more, scenes="list.csv")
    assert ran.code == 2
    assert message.format(tree=tree) in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--kinds", "3"), "--kinds 3 has no effect with --kinds-by folder, which says the kinds itself"),
        (("--kinds-by", "colour", "--kinds", "11"), "--kinds 11: the scenes have 10 different mean colours"),
        (("--clearest", "0.5"), "--clearest 0.5 has no effect with --kinds-by folder"),
        (("--kinds-by", "column"), "--kinds-by column needs a table"),
        (
            ("--scene-shares", "0.5", "0.2", "0.2"),
            "--scene-shares 0.5 0.2 0.2: expected three shares above 0 whose sum",
        ),
        (("--scene-shares", "0.9", "0.05", "0.05"), "the kind forest has 5 scenes, too few for one in each split"),
        (("--set", "data.masks=null"), "data.kind = image_folder: no image of the split train has a mask"),
        (
            ("--set", "data.images_per_class=3"),
            "data.images_per_class = 3 has no effect on composed data, which use each image with a mask; set it to nu",
        ),
        (("--set", "data.mask_subset.share=0.5"), "data.mask_subset has no effect on composed data, which use each"),
        (("--set", "data.on_error=skip"), "data.on_error = skip has no effect on composed data, since an object that"),
        (("--set", "data.validation.source=held_out"), "data.validation.source = held_out takes the test images"),
        (("--scene-masks", "{tree}/mine/masks"), "--scene-masks: 10 of 10 scenes have no mask"),
        (("--scenes", "{tree}/none"), "--scenes: there is no folder {tree}/none"),
        (("--scenes", "{tree}/scenes/sea"), "--kinds-by folder: {tree}/scenes/sea has images in no sub-folder"),
        (
            ("--scenes", "{tree}/one"),
            "one kind of scene, sea; expected two or more; put each kind into a sub-folder, or pass --kinds-by colour",
        ),
        (
            ("--scene-masks", "{tree}/all-object"),
            "no scene shows enough around its object; give scenes with smaller objects, or without masks",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(
    compose: Cli, tree: Path, tmp_path: Path, more: tuple[str, ...], message: str
) -> None:
    if not (tree / "one").exists():
        shutil.copytree(tree / "scenes" / "sea", tree / "one" / "sea")
    ran = compose(*(word.format(tree=tree) for word in more))
    assert ran.code == 2
    assert message.format(tree=tree) in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("digits", "data.kind = spurious_digits has no files; composed data need images with masks in files"),
        ("pascal-voc", "data.kind = pascal_voc has several labels an image; composed data need one"),
    ],
)
def test_digits_and_several_labels_have_no_object_to_place(
    cli: Cli, tree: Path, tmp_path: Path, base: str, message: str
) -> None:
    ran = cli("data", "compose", base, "--scenes", tree / "scenes", "--out", tmp_path / "out")
    assert (ran.code, ran.err) == (2, f"error: {message}\n")


@pytest.mark.parametrize(
    ("out", "found"),
    [
        ("scenes/sea/new", "--scenes {tree}/scenes"),
        ("scene-masks/new", "--scene-masks {tree}/scene-masks"),
        ("mine/new", "data.root {tree}/mine"),
        (".", "--scenes {tree}/scenes"),
    ],
)
def test_the_new_folder_lies_apart_from_what_is_read(compose: Cli, tree: Path, out: str, found: str) -> None:
    """Else the next call reads it as a kind of scene."""
    before = sorted(tree.rglob("*"))
    ran = compose("--scene-masks", str(tree / "scene-masks"), out=str(tree / out))
    assert ran.code == 2
    assert f"--out {tree / out} overlaps with {found.format(tree=tree)}, so that" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert sorted(tree.rglob("*")) == before


def test_an_object_that_fills_its_image_is_counted(compose: Cli, tree: Path, tmp_path: Path) -> None:
    """Its groups say a scene, and none shows."""
    shutil.copytree(tree / "mine", tmp_path / "mine")
    paint(tmp_path / "mine/masks/test/dog/2.png", (255, 255, 255))
    more = ("--set", f"data.root={tmp_path}/mine")
    assert json.loads(compose("--json", *more).out)["without_scene"] == {"train": 0, "val": 0, "test": 1}
    assert "  objects that fill their image, so that no scene shows: 1" in compose(*more, out="again").out


def test_an_object_that_vanishes_at_the_size_of_images_is_refused(compose: Cli, tree: Path, tmp_path: Path) -> None:
    """One white pixel of 64 x 96 is a quarter of a pixel of 32 x 48."""
    shutil.copytree(tree / "mine", tmp_path / "mine")
    where = "train/cat/3.png"
    Image.new("RGB", (96, 64)).save(tmp_path / "mine" / where)
    mask = Image.new("L", (96, 64))
    mask.putpixel((40, 30), 255)
    mask.save(tmp_path / "mine/masks" / where)
    ran = compose("--image-size", "32", "--set", f"data.root={tmp_path}/mine")
    assert ran.code == 2
    assert ran.err.endswith(
        f"the mask of {tmp_path}/mine/{where} has no pixel that is at least half object at --image-size 32; raise "
        "--image-size, or leave this image out\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert compose("--image-size", "64", "--set", f"data.root={tmp_path}/mine").code == 0


def test_a_broken_image_leaves_nothing(compose: Cli, tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree / "scenes", tree / "broken")
    (tree / "broken" / "sea" / "3.png").write_bytes(b"no image")
    ran = compose(scenes="broken")
    assert ran.code == 2
    assert "broken/sea/3.png cannot be read" in ran.err
    assert list(tmp_path.iterdir()) == []


class TestNewFolder:
    @pytest.mark.parametrize("is_folder", [True, False])
    def test_what_is_there_stays(self, compose: Cli, tmp_path: Path, is_folder: bool) -> None:
        mine = tmp_path / "out" / "mine" if is_folder else tmp_path / "out"
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
        ran = compose()
        assert ran.code == 2
        assert f"{tmp_path}/out is there already; remove it, or give another folder" in ran.err
        assert mine.read_text() == "mine"

    def test_a_link_stays_even_if_nothing_is_there(self, compose: Cli, tmp_path: Path) -> None:
        (tmp_path / "out").symlink_to(tmp_path / "nowhere")
        ran = compose()
        assert ran.code == 2
        assert f"{tmp_path}/out is there already; remove it, or give another folder" in ran.err
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_an_empty_folder_is_filled(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        with new_folder(tmp_path / "out", "data compose") as folder:
            (folder / "a").write_text("whole")
        assert files(tmp_path) == {"out/a": b"whole"}

    def test_a_killed_process_leaves_no_folder_and_the_next_begins_anew(self, tmp_path: Path) -> None:
        code = (
            "import os, pathlib, signal, sys\n"
            "from orchestrator.data.compose.new_folder import new_folder\n"
            "with new_folder(pathlib.Path(sys.argv[1]), 'data compose') as folder:\n"
            "    (folder / 'images').mkdir()\n"
            "    (folder / 'images' / 'half').write_text('half')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        ran = subprocess.run([sys.executable, "-c", code, tmp_path / "out"], env=environment, check=False)
        assert ran.returncode == -signal.SIGKILL
        assert not (tmp_path / "out").exists()
        assert "half" in str(sorted(tmp_path.rglob("*")))
        with new_folder(tmp_path / "out", "data compose") as folder:
            (folder / "a").write_text("whole")
        assert files(tmp_path) == {"out/a": b"whole"}

    def test_two_processes_do_not_make_one_folder(self, tmp_path: Path) -> None:
        with new_folder(tmp_path / "out", "data compose") as folder:
            (folder / "a").write_text("whole")
            busy = pytest.raises(ConfigError, match=r"data compose of .*out is being run by another process")
            with busy, new_folder(tmp_path / "out", "data compose"):
                pass
        assert files(tmp_path) == {"out/a": b"whole"}


@pytest.mark.data
@pytest.mark.slow
def test_pets_before_the_scenes_of_ecssd(cli: Cli, real_images_root: str, tmp_path: Path) -> None:
    """410 pets to train and validate on, of which a fifth of each class is cut, and 178 to test on."""
    scenes, masks = (f"{real_images_root}/ecssd/{name}" for name in ("images", "masks"))
    ran = cli(
        *("data", "compose", "pets-species", "--set", f"data.root={real_images_root}", "--scenes", scenes),
        *("--scene-masks", masks, "--kinds-by", "colour", "--image-size", "64", "--out", tmp_path / "out", "--json"),
    )
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert {split: sum(groups.values()) for split, groups in document["groups"].items()} == {
        "train": 328,
        "val": 2 * 82,
        "test": 2 * 178,
    }
    assert abs(document["measured_agreement"] - 0.95) < 0.01
    assert sum(sum(kinds.values()) for kinds in document["scenes"].values()) == 501 - document["scenes_left_out"]
    check_splits_apart(read_rows(tmp_path / "out" / "table.csv"))
