"""The commands of docs/tutorial-own-data.md run, in their order, on data laid out as the page says."""

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "tutorial-own-data.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [line.split()[1:] for line in re.findall(r"^campaign .*$", PAGE, re.MULTILINE)]
QUICK = ("--set", "training.epochs=1", "--set", "data.image_size=32", "--set", "training.batch_size=4")
SHORTER = {"train": QUICK, "plan": QUICK, "sweep": (*QUICK, "--trials", "2"), "promote": ("--set", "training.epochs=1")}

Cli = Callable[..., Any]
Row = tuple[str, str, str]


def write_files(rows: list[Row]) -> None:
    """Write the table and the YAML files of the page into the working folder."""
    with Path("mine/mine.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")


def draw_images() -> list[Row]:
    """Draw squares on noise, light for cats and dark for dogs; each third image is held out, and one has no mask."""
    rng, rows = np.random.default_rng(0), []
    for folder in ("images", "masks"):
        Path("mine", folder).mkdir(parents=True)
    for number in range(1, 25):
        pixels = rng.integers(60, 180, (40, 48, 3), dtype=np.uint8)
        pixels[12:28, 16:32] = 230 if number % 2 else 20
        Image.fromarray(pixels).save(f"mine/images/{number}.jpg")
        mask = np.zeros((40, 48), dtype=np.uint8)
        mask[12:28, 16:32] = 255
        if number > 1:
            Image.fromarray(mask).save(f"mine/masks/{number}.png")
        rows.append((f"images/{number}.jpg", "cat" if number % 2 else "dog", "train" if number % 3 else "test"))
    return rows


def copy_pets(root: Path) -> list[Row]:
    """Copy the real pets; of a trimap, 1 is the object."""
    rows = []
    for folder in ("images", "masks"):
        Path("mine", folder).mkdir(parents=True)
    for split, name in (("train", "trainval"), ("test", "test")):
        for line in (root / "annotations" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            stem, _, species, _ = line.split()
            number = len(rows) + 1
            shutil.copy(root / "images" / f"{stem}.jpg", f"mine/images/{number}.jpg")
            trimap = np.array(Image.open(root / "annotations" / "trimaps" / f"{stem}.png"))
            Image.fromarray(((trimap == 1) * 255).astype(np.uint8)).save(f"mine/masks/{number}.png")
            rows.append((f"images/{number}.jpg", "cat" if species == "1" else "dog", split))
    return rows


def run(cli: Cli, words: list[str]) -> str:
    ran = cli(*words, *SHORTER.get(words[0], ()))
    assert ran.code == 0, (words, ran.err)
    return str(ran.out)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_there_are_eight_commands_and_three_files() -> None:
    assert [words[0] for words in COMMANDS] == [
        "data",
        "train",
        "explain",
        "plan",
        "sweep",
        "promote",
        "evaluate",
        "report",
    ]
    assert list(FILES) == ["mine.yaml", "weight.yaml", "longer.yaml"]
    assert all(isinstance(yaml.safe_load(text), dict) for text in FILES.values())


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
def test_data_are_checked_learnt_explained_and_searched(cli: Cli) -> None:
    write_files(draw_images())
    checked = run(cli, COMMANDS[0]).splitlines()
    assert [re.sub(r"cat \d+, dog \d+; ", "", line) for line in checked] == [
        "train: 13 images, 12 with masks (92%), 1 without; 13 read",
        "val: 3 images, 3 with masks (100%), 0 without; 3 read",
        "test: 8 images, 8 with masks (100%), 0 without; 8 read",
        "contact sheet: mine-data.png",
        "no problems",
    ]
    assert "cat 4, dog 4" in checked[2]
    run(cli, COMMANDS[1])
    assert Path("campaign-data/runs/first/evaluation.json").is_file()
    run(cli, COMMANDS[2])
    assert list(Path("panels").glob("*.png"))
    assert "objective.background_weight" in run(cli, COMMANDS[3])


@pytest.mark.data
@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")
def test_real_pets_come_from_a_folder_to_a_promoted_run(cli: Cli, real_images_root: str) -> None:
    write_files(copy_pets(Path(real_images_root, "oxford-iiit-pet")))
    checked = run(cli, COMMANDS[0])
    assert "test: 178 images, 178 with masks (100%), 0 without" in checked
    for words in COMMANDS[1:]:
        run(cli, words)
    (promoted,) = Path("campaign-data/sweeps/weights-longer/trials").iterdir()
    assert (promoted / "evaluation" / "removal.json").is_file()
    assert Path("campaign-data/sweeps/weights/report.html").is_file()
