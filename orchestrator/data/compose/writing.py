"""The files of composed data: images and masks of one object at a time, and the tables that list them."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from orchestrator.data.compose.plan import SPLITS, Planned, Split
from trainables.data.compositing import Share, composite, covering
from trainables.data.file_reader import Pixels

TABLE, SHIFTED_TABLE = "table.csv", "shifted.csv"
"""The images of the three splits, and those of the shifted sets."""
SCENES = "scenes"
"""The folder of the scenes without their objects."""


class Row(NamedTuple):
    """A row of a table."""

    path: str
    label: str
    split: str
    """In the table of shifted sets, the name of the set."""
    mask: str
    kind: str
    """The kind of the scene; empty where the image shows none."""
    object: str
    """The image that the object is from, below the data's root."""
    scene: str
    """The scene, below the folder of the composed data."""
    source: str
    """The number of the object's source, such as a patient, where the data have sources; otherwise the object."""


@dataclass(frozen=True)
class SceneFile:
    """A scene that was written."""

    name: str
    """Below the folder of the composed data."""
    kind: str


@dataclass(frozen=True)
class ObjectFile:
    """Where an object is from and what it is called."""

    split: Split
    id: str
    label: str
    path: str
    """Its image, below the data's root."""
    source: str
    """As in `Row`."""

    @property
    def mask(self) -> str:
        """Its mask, below the folder of the composed data."""
        return f"masks/{self.split}/{self.id}.png"


def row_of(planned: Planned, shown: ObjectFile, scenes: Sequence[SceneFile]) -> Row:
    """Return the row of an image that is planned."""
    scene = None if planned.scene is None else scenes[planned.scene]
    before = f"--{scene.kind}" if scene and planned.set in SPLITS[1:] else ""
    return Row(
        path=f"images/{planned.set}/{shown.id}{before}.png",
        label=shown.label,
        split=planned.set,
        mask="" if planned.look == "only_bg" else shown.mask,
        kind=scene.kind if scene else "",
        object=shown.path,
        scene=scene.name if scene else "",
        source=shown.source,
    )


def write_images(
    folder: Path, mask: str, pixels_HWC: Pixels, share_HW: Share, images: Iterable[tuple[Planned, Row]]
) -> None:
    """Write the mask of an object, and all images of it.

    Args:
        folder: The folder of the composed data.
        mask: The mask's file below it.
        pixels_HWC: The image that the object is from.
        share_HW: The object's share of each pixel.
        images: What to write, with its row.
    """
    level_HW = np.rint(share_HW * 255).astype(np.uint8)
    share_HW = level_HW / np.float32(255)  # As the mask says.
    black_HWC = np.zeros_like(pixels_HWC)
    _save(level_HW, folder / mask)
    for planned, row in images:
        back_HWC = covering(_scene(folder / row.scene), pixels_HWC.shape[:2], planned.place) if row.scene else black_HWC
        match planned.look:
            case "clean":
                image_HWC = pixels_HWC
            case "only_bg":
                image_HWC = back_HWC
            case "no_fg":
                image_HWC = composite(black_HWC, share_HW, back_HWC)
            case "only_fg" | "composed":
                image_HWC = composite(pixels_HWC, share_HW, back_HWC)
        _save(image_HWC, folder / row.path)


def _scene(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image)


def _save(pixels: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)  # A third of the time, and no larger.


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as CSV, in the order of their paths."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(sorted(rows))


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a table that `write_table` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def agreement_of(rows: Iterable[Row], own_kind: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Return by class how many training images stand before the class's own kind of scene, and how many there are."""
    found = dict.fromkeys(own_kind, (0, 0))
    for row in rows:
        if row.split == "train":
            own, num = found[row.label]
            found[row.label] = own + (row.kind == own_kind[row.label]), num + 1
    return found
