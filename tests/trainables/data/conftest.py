"""Tiny data sets in their real layouts."""

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from tests.trainables.imagenet_tree import write_hard_imagenet, write_imagenet_s
from tests.trainables.sbd_tree import write_sbd
from tests.trainables.set_trees import OWN_VALIDATION, WRITERS
from tests.trainables.voc_tree import write_voc
from trainables.config import BoxMasks, DataConfig, Validation
from trainables.data import DataBundle, build_data

HELD_OUT = Validation(source="held_out")
"""The lists of the files as they are."""
PETS = {"trainval": ["Abyssinian_1 1 1 1", "Abyssinian_2 1 1 1", "beagle_1 5 2 4", "pug_10 26 2 18"]}
PETS["test"] = ["Abyssinian_3 1 1 1", "beagle_2 5 2 4", "samoyed_7 30 2 21"]


def paint(path: Path, size: tuple[int, int] = (60, 48), seed: int = 0) -> None:
    """Write an image of random pixels, width and height as given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _trimap(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    trimap = np.full((48, 60), 2, dtype=np.uint8)
    trimap[8:40, 12:48] = 3
    trimap[12:36, 16:44] = 1
    Image.fromarray(trimap).save(path)


def write_pets(root: Path) -> None:
    """Write images and trimaps of `PETS`."""
    folder = root / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    for name, lines in PETS.items():
        (folder / "annotations" / f"{name}.txt").write_text("\n".join(lines) + "\n")
        for seed, line in enumerate(lines):
            stem = line.split()[0]
            paint(folder / "images" / f"{stem}.jpg", seed=seed)
            _trimap(folder / "annotations" / "trimaps" / f"{stem}.png")


@pytest.fixture
def pet_root(tmp_path: Path) -> Path:
    write_pets(tmp_path)
    return tmp_path


def write_folders(root: Path) -> None:
    """Write four images of each of three classes to train on, and two to validate on."""
    for split, num in (("train", 4), ("val", 2)):
        for name in ("cat", "dog", "fox"):
            for index in range(num):
                paint(root / split / name / f"{index}.png", seed=index)


@pytest.fixture
def folder_root(tmp_path: Path) -> Path:
    root = tmp_path / "folders"
    write_folders(root)
    return root


def write_table(root: Path) -> None:
    """Write a table of nine images, each with a box around its middle."""
    rows = ["path,label,split,boxes,place"]
    for index in range(9):
        paint(root / f"{index}.png", seed=index)
        split = ("train", "val", "test")[index // 3]
        rows.append(f"{index}.png,{index % 3},{split},14 10 46 38,{index % 2}")
    (root / "images.csv").write_text("\n".join(rows))


@pytest.fixture
def voc_root(tmp_path: Path) -> Path:
    root = tmp_path / "voc"
    write_voc(root)
    return root


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Starts a web server of a folder and returns its address."""
    with ExitStack() as running:

        def start(folder: Path) -> str:
            handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
            server = running.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield start


TREES: Mapping[str, tuple[Callable[[Path], object], Mapping[str, Any]]] = {
    "oxford_pet": (write_pets, {}),
    "pascal_voc": (write_voc, {}),
    "sbd": (write_sbd, {}),
    "imagenet_s": (write_imagenet_s, {"folder": "ImageNetS3"}),
    "hard_imagenet": (write_hard_imagenet, {}),
    "image_folder": (write_folders, {}),
    "table": (write_table, {"table": "images.csv", "masks": BoxMasks(), "groups": ("label", "place")}),
}
"""Of kinds without a writer in `WRITERS`: what writes their files, and their fields."""


def written(kind: str, root: Path) -> DataConfig:
    """Write a tiny data set of a kind below `root`, without a cut; return its config."""
    fields: dict[str, Any] = {"kind": kind, "image_size": 32}
    if kind == "spurious_digits":
        fields |= {"num_train": 12, "num_test": 10}
    elif kind in TREES:
        write, own = TREES[kind]
        write(root)
        fields |= {"root": str(root), **own}
    else:
        fields |= {"root": str(root), **WRITERS[kind](root)}
    if kind not in {"spurious_digits", "table", *OWN_VALIDATION}:
        fields["validation"] = HELD_OUT
    config: DataConfig = TypeAdapter(DataConfig).validate_python(fields)
    return config


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], DataBundle]:
    """Builds a tiny bundle of each kind, from files that are written once."""

    @functools.cache
    def config_of(kind: str) -> DataConfig:
        return written(kind, tmp_path_factory.mktemp(kind))

    return lambda kind: build_data(config_of(kind))
