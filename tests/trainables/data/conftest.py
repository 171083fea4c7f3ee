"""Tiny data sets in their real layouts."""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from tests.trainables.imagenet_tree import write_hard_imagenet, write_imagenet_s
from tests.trainables.sbd_tree import write_sbd
from tests.trainables.set_trees import OWN_VALIDATION, WRITERS
from tests.trainables.voc_tree import write_voc
from trainables.config import (
    BoxMasks,
    DataConfig,
    HardImageNet,
    ImageFolder,
    ImageNetS,
    OxfordPet,
    PascalVoc,
    Sbd,
    SpuriousDigits,
    Table,
    Validation,
)
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


@pytest.fixture
def pet_root(tmp_path: Path) -> Path:
    folder = tmp_path / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    for name, lines in PETS.items():
        (folder / "annotations" / f"{name}.txt").write_text("\n".join(lines) + "\n")
        for seed, line in enumerate(lines):
            stem = line.split()[0]
            paint(folder / "images" / f"{stem}.jpg", seed=seed)
            _trimap(folder / "annotations" / "trimaps" / f"{stem}.png")
    return tmp_path


@pytest.fixture
def folder_root(tmp_path: Path) -> Path:
    root = tmp_path / "folders"
    for split, num in (("train", 4), ("val", 2)):
        for name in ("cat", "dog", "fox"):
            for index in range(num):
                paint(root / split / name / f"{index}.png", seed=index)
    return root


@pytest.fixture
def table_root(tmp_path: Path) -> Path:
    """A table of nine images, each with a box around its middle."""
    root, rows = tmp_path / "table", ["path,label,split,boxes,place"]
    for index in range(9):
        paint(root / f"{index}.png", seed=index)
        split = ("train", "val", "test")[index // 3]
        rows.append(f"{index}.png,{index % 3},{split},14 10 46 38,{index % 2}")
    (root / "images.csv").write_text("\n".join(rows))
    return root


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


@pytest.fixture
def imagenet_root(tmp_path: Path) -> Path:
    root = tmp_path / "imagenets"
    write_imagenet_s(root)
    write_hard_imagenet(root)
    return root


@pytest.fixture
def bundle_of(
    pet_root: Path, folder_root: Path, voc_root: Path, imagenet_root: Path, table_root: Path, tmp_path: Path
) -> Callable[[str], DataBundle]:
    """Builds a tiny bundle of each kind; those of files have no cut."""
    configs = {
        "spurious_digits": SpuriousDigits(num_train=12, num_test=10, image_size=32),
        "oxford_pet": OxfordPet(root=str(pet_root), image_size=32, validation=HELD_OUT),
        "pascal_voc": PascalVoc(root=str(voc_root), image_size=32, validation=HELD_OUT),
        "imagenet_s": ImageNetS(root=str(imagenet_root), folder="ImageNetS3", image_size=32, validation=HELD_OUT),
        "hard_imagenet": HardImageNet(root=str(imagenet_root), image_size=32, validation=HELD_OUT),
        "image_folder": ImageFolder(root=str(folder_root), image_size=32, validation=HELD_OUT),
        "table": Table(
            root=str(table_root), table="images.csv", image_size=32, masks=BoxMasks(), groups=("label", "place")
        ),
    }

    def bundle(kind: str) -> DataBundle:
        if kind in configs:
            return build_data(configs[kind])
        root = tmp_path / kind
        if kind == "sbd":
            write_sbd(root)
            return build_data(Sbd(root=str(root), image_size=32, validation=HELD_OUT))
        tree = {"root": str(root), "image_size": 32, **WRITERS[kind](root)}
        tree |= {} if kind in OWN_VALIDATION else {"validation": HELD_OUT}
        return build_data(TypeAdapter(DataConfig).validate_python(tree))

    return bundle
