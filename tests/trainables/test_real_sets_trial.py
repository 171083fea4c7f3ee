"""Waterbirds and UrbanCars made of real images: cats and dogs, cut out by their masks, on other backgrounds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.trainables.conftest import MakeConfig, Train
from tests.trainables.set_trees import draw, write_table
from trainables.data import build_data

pytestmark = pytest.mark.data

SIDE = 96
Pixels = npt.NDArray[np.uint8]
SPLITS = ("train", "val", "test")


class Pets:
    """Pets with their masks, and backgrounds of two kinds: bright ones and dark ones."""

    def __init__(self, root: Path) -> None:
        pets = root / "oxford-iiit-pet"
        lines = (pets / "annotations" / "trainval.txt").read_text().splitlines()
        species = {line.split()[0]: int(line.split()[2]) - 1 for line in lines if not line.startswith("#")}
        self._pets: dict[int, list[Path]] = {kind: [] for kind in (0, 1)}
        for stem, kind in species.items():
            self._pets[kind].append(pets / "images" / f"{stem}.jpg")
        scenes = sorted((root / "ecssd" / "images").iterdir())[:80]
        brightness = [np.array(Image.open(path).convert("L")).mean() for path in scenes]
        self._scenes = [scenes[place] for place in np.argsort(brightness)]

    def compose(self, kind: int, bright: int, number: int, second: int | None = None) -> tuple[Pixels, Pixels]:
        """Return a pet on a scene, perhaps with a small second pet next to it, and the mask of the pet."""
        pixels = self._square(self._scenes[(40 if bright else 0) + number % 40])
        if second is not None:
            small, mask = self._pet(second, number + 7, SIDE // 3)
            pixels[-SIDE // 3 :, : SIDE // 3][mask] = small[mask]
        pet, mask = self._pet(kind, number, SIDE)
        pixels[mask] = pet[mask]
        return pixels, (255 * mask).astype(np.uint8)

    def _pet(self, kind: int, number: int, side: int) -> tuple[Pixels, npt.NDArray[np.bool_]]:
        path = self._pets[kind][number % len(self._pets[kind])]
        trimap = path.parents[1] / "annotations" / "trimaps" / f"{path.stem}.png"
        values = np.array(Image.open(trimap).resize((side, side), Image.Resampling.NEAREST))
        return self._square(path, side), values == 1

    @staticmethod
    def _square(path: Path, side: int = SIDE) -> Pixels:
        return np.array(Image.open(path).convert("RGB").resize((side, side)))


def write_waterbirds(root: Path, pets: Pets) -> dict[str, Any]:
    """Cats are landbirds and dogs waterbirds; scenes are water if bright. In training 1 of 6 is in the other place."""
    rows, number = ["img_id,img_filename,y,split,place,place_filename"], 0
    for split in range(3):
        for y in range(2):
            for index in range(12 if split == 0 else 8):
                place = (y + (index % 6 == 0)) % 2 if split == 0 else index % 2
                name, number = f"{y:03d}.Pet/{number}", number + 1
                pixels, mask = pets.compose(y, place, number)
                draw(root / "waterbird_complete95_forest2water2" / f"{name}.jpg", pixels)
                draw(root / "segmentations" / f"{name}.png", mask)
                rows.append(f"{number},{name}.jpg,{y},{split},{place},/")
    write_table(root / "waterbird_complete95_forest2water2" / "metadata.csv", *rows)
    return {"kind": "waterbirds"}


def write_urbancars(root: Path, pets: Pets) -> dict[str, Any]:
    """Cats are country cars and dogs urban ones, on dark and bright scenes, next to a small cat or dog."""
    names, number = ("country", "urban"), 0
    for split in SPLITS:
        ratio = 0.95 if split == "train" else 0.5
        for kind, place, second in np.ndindex(2, 2, 2):
            folder = f"obj-{names[kind]}_bg-{names[place]}_co_occur_obj-{names[second]}"
            part = root / "urbancars" / f"bg-{ratio}_co_occur_obj-{ratio}" / split / folder
            for index in range(6 if split == "train" and kind == place == second else 2):
                number += 1
                pixels, mask = pets.compose(kind, place, number, second)
                draw(part / f"{index:03d}.jpg", pixels)
                draw(part / f"{index:03d}_mask.png", np.repeat(mask[..., None], 3, axis=2))
    return {"kind": "urbancars"}


@pytest.mark.parametrize(
    ("write", "gaps"),
    [(write_waterbirds, ("place",)), (write_urbancars, ("bg", "co_occur_obj", "bg_and_co_occur_obj"))],
)
def test_one_epoch_has_the_figures_of_groups(
    write: Callable[[Path, Pets], dict[str, Any]],
    gaps: tuple[str, ...],
    real_images_root: str,
    tmp_path: Path,
    make_config: MakeConfig,
    train: Train,
) -> None:
    settings = write(tmp_path / "set", Pets(Path(real_images_root)))
    fields = {"root": str(tmp_path / "set"), "image_size": 64, **settings}
    config = make_config(
        {
            **{f"data.{name}": value for name, value in fields.items()},
            "objective.kind": "contrastive",
            "training.epochs": 1,
        }
    )
    (row,) = train(config).rows()
    data: Any = build_data(config.data)
    num_groups = len(data.train.group_names)
    assert row["train/samples_without_mask"] == 0
    assert 0 <= row["val/worst_group_accuracy"] <= row["val/group_adjusted_accuracy"] <= 1
    assert row["val/worst_group_size"] == len(data.val) / num_groups
    assert {name.removeprefix("val/group_gap/") for name in row if "group_gap" in name} == set(gaps)
    assert all(-1 <= row[f"val/group_gap/{name}"] <= 1 for name in gaps)
    assert 0 < row["val/background/influence_share"] < 1
