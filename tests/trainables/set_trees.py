"""Published data sets in their layouts, with images of a few pixels; each function returns the settings of its kind."""

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

SIZE = (48, 60)
"""Height and width."""
OBJECT = (slice(12, 36), slice(16, 44))
"""Rows and columns of the object."""
Grey = npt.NDArray[np.uint8]


def mask(value: int = 255, where: tuple[slice, slice] = OBJECT) -> Grey:
    """Return a mask that is black but for its object."""
    values_HW = np.zeros(SIZE, dtype=np.uint8)
    values_HW[where] = value
    return values_HW


def draw(path: Path, values: Grey | None = None) -> None:
    """Write an image of random pixels that its name decides, or one of the given pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if values is None:
        rng = np.random.default_rng(zlib.crc32("/".join(path.parts[-5:]).encode()))
        values = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)


def write_table(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


WATERBIRDS = [  # class folder, image, y, split, place
    ("001.Albatross", "a", 1, 0, 1),
    ("001.Albatross", "b", 1, 0, 1),
    ("001.Albatross", "c", 1, 0, 0),
    ("002.Bunting", "d", 0, 0, 0),
    ("002.Bunting", "e", 0, 0, 0),
    ("002.Bunting", "f", 0, 1, 0),
    ("001.Albatross", "g", 1, 1, 0),
    ("001.Albatross", "h", 1, 1, 1),
    ("002.Bunting", "i", 0, 2, 1),
    ("002.Bunting", "j", 0, 2, 0),
    ("001.Albatross", "k", 1, 2, 1),
]


def write_waterbirds(root: Path) -> dict[str, Any]:
    rows = ["img_id,img_filename,y,split,place,place_filename"]
    for index, (folder, stem, y, split, place) in enumerate(WATERBIRDS):
        rows.append(f"{index},{folder}/{stem}.jpg,{y},{split},{place},/l/lake/0.jpg")
        draw(root / "waterbird_complete95_forest2water2" / folder / f"{stem}.jpg")
        draw(root / "segmentations" / folder / f"{stem}.png", mask())
    write_table(root / "waterbird_complete95_forest2water2" / "metadata.csv", *rows)
    return {"kind": "waterbirds"}


def write_cub(root: Path) -> dict[str, Any]:
    lists: dict[str, list[str]] = {"images": [], "image_class_labels": [], "train_test_split": []}
    for number in range(1, 11):
        label, folder = (1, "001.Albatross") if number % 2 else (2, "002.Bunting")
        lists["images"].append(f"{number} {folder}/{number}.jpg")
        lists["image_class_labels"].append(f"{number} {label}")
        lists["train_test_split"].append(f"{number} {int(number < 7)}")
        draw(root / "CUB_200_2011" / "images" / folder / f"{number}.jpg")
        draw(root / "segmentations" / folder / f"{number}.png", mask())
    for name, lines in lists.items():
        write_table(root / "CUB_200_2011" / f"{name}.txt", *lines)
    write_table(root / "CUB_200_2011" / "classes.txt", "1 001.Albatross", "2 002.Bunting")
    return {"kind": "cub"}


IMAGENET_9 = ("mixed_same", "mixed_rand", "mixed_next", "only_fg", "no_fg", "only_bg_b", "only_bg_t")


def write_imagenet_9(root: Path) -> dict[str, Any]:
    parts = ("in9l/train", "in9l/val", *(f"bg_challenge/{variant}/val" for variant in ("original", *IMAGENET_9)))
    for part in parts:
        for name in ("00_dog", "02_wheeled vehicle"):
            for number in range(2):
                draw(root / part / name / f"{name[:2]}_{number}.JPEG")
                if "original" in part:
                    write_npy(root / "bg_challenge" / "fg_mask" / "val" / name / f"{name[:2]}_{number}.npy", mask(1))
    return {"kind": "imagenet_9"}


def write_npy(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)


def write_urbancars(root: Path) -> dict[str, Any]:
    """One image in each group, and three where all fits in training."""
    kinds = ("country", "urban")
    for split, ratio in (("train", 0.95), ("val", 0.5), ("test", 0.5)):
        for car, bg, other in ((car, bg, other) for car in kinds for bg in kinds for other in kinds):
            part = root / "urbancars" / f"bg-{ratio}_co_occur_obj-{ratio}" / split
            folder = part / f"obj-{car}_bg-{bg}_co_occur_obj-{other}"
            for number in range(3 if split == "train" and car == bg == other else 1):
                draw(folder / f"{number:03d}.jpg")
                draw(folder / f"{number:03d}_mask.png", np.repeat(mask()[..., None], 3, axis=2))
                draw(folder / f"{number:03d}_co_occur_obj_mask.png", mask())
    return {"kind": "urbancars"}


def write_spawrious(root: Path) -> dict[str, Any]:
    """All places, with one image of each breed in each half."""
    for half in (0, 1):
        for place in ("beach", "desert", "dirt", "jungle", "mountain", "snow"):
            for breed in ("bulldog", "corgi", "dachshund", "labrador"):
                draw(root / "spawrious224" / str(half) / place / breed / f"{breed}_{place}_{half}.png")
    return {"kind": "spawrious"}


METASHIFT = ("train/cat/cat(indoor)", "train/dog/dog(outdoor)", "test/cat/cat(outdoor)", "test/dog/dog(indoor)")


def write_metashift(root: Path) -> dict[str, Any]:
    for place, part in enumerate(METASHIFT):
        for number in range(3):
            draw(root / "MetaShift-Cat-Dog-indoor-outdoor" / part / f"{place}{number}.jpg")
    return {"kind": "metashift"}


def write_nico_pp(root: Path) -> dict[str, Any]:
    for context in ("autumn", "dim", "rock"):
        for name in ("cat", "hot air balloon"):
            for number in range(2):
                draw(root / "public_dg_0416" / "train" / context / name / f"{context}_{number}.jpg")
    return {"kind": "nico_pp", "held_out": ["dim"]}


def write_rival10(root: Path) -> dict[str, Any]:
    for split in ("train", "test"):
        for wnid in ("n03796401", "n02814533", "n04467665"):
            for number in range(2):
                stem = root / "RIVAL10" / split / "ordinary" / f"{wnid}_{number}"
                draw(stem.with_name(f"{stem.name}.JPEG"))
                draw(stem.with_name(f"{stem.name}_merged_mask.JPEG"), mask(where=(slice(0, 8), slice(0, 8))))
                draw(root / "RIVAL10" / split / "entire_object_masks" / f"{stem.name}.JPEG", mask())
                write_npy(stem.with_name(f"{stem.name}_attr_labels.npy"), np.zeros((2, 18)))
    return {"kind": "rival10"}


ANSWERS = {  # class, feature: how many of five say that it is not of the object
    ("n01", 5): 0,
    ("n01", 7): 2,
    ("n01", 9): 3,
    ("n02", 5): 5,
    ("n02", 8): 1,
}


def write_salient_imagenet(root: Path) -> dict[str, Any]:
    """Of each class ten images: the first eight have the first core feature, the last two have a spurious one."""
    folder, images = root / "salient_imagenet", root / "imagenet" / "train"
    rows = ["WorkerId,Input.wordnet_id,Input.class_index,Input.feature_index,Input.feature_rank,Answer.main"]
    for (wnid, feature), num in ANSWERS.items():
        others = ["background", "separate_object"] * 3
        answers = [*others[:num], *["main_object"] * (5 - num)]
        rows += [f"{worker},{wnid},0,{feature},1,{answer}" for worker, answer in enumerate(answers)]
    write_table(folder / "discover_spurious_features.csv", *rows)
    for wnid in ("n01", "n02"):
        features = [str(feature) for name, feature in ANSWERS if name == wnid]
        listed = {feature: [f"{wnid}_{number}" for number in range(8)] for feature in features}
        listed["9" if wnid == "n01" else "5"] = [f"{wnid}_8", f"{wnid}_9"]
        columns = [[*listed[feature], *[""] * 8][:8] for feature in features]
        write_table(
            folder / wnid / "image_names_map.csv", ",".join(features), *map(",".join, zip(*columns, strict=True))
        )
        for feature, names in listed.items():
            for name in names:
                draw(images / wnid / f"{name}.JPEG")
                where = (slice(64, 160), slice(64, 160)) if feature != "7" else (slice(104, 200), slice(80, 120))
                values_HW = np.zeros((224, 224), dtype=np.uint8)
                values_HW[where] = 255
                draw(folder / wnid / f"feature_{feature}" / f"{name}.JPEG", values_HW)
    return {"kind": "salient_imagenet"}


def voc_xml(wnid: str, *boxes: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> str:
    objects = "".join(
        f"<object><name>{wnid}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
        f"<ymax>{bottom}</ymax></bndbox></object>"
        for left, top, right, bottom in boxes
    )
    return f"<annotation><size><width>{size[1]}</width><height>{size[0]}</height></size>{objects}</annotation>"


def write_imagenet_boxes(root: Path) -> dict[str, Any]:
    images, boxes = (root / "ILSVRC" / name / "CLS-LOC" for name in ("Data", "Annotations"))
    for place, wnid in enumerate(("n01", "n02")):
        for number in range(2):
            for part, name in ((f"train/{wnid}", f"{wnid}_{number}"), ("val", f"ILSVRC2012_val_{place}{number}")):
                draw(images / part / f"{name}.JPEG")
                write_table(boxes / part / f"{name}.xml", voc_xml(wnid, (16, 12, 44, 36)))
    return {"kind": "imagenet_boxes"}


WRITERS: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "cub": write_cub,
    "imagenet_9": write_imagenet_9,
    "imagenet_boxes": write_imagenet_boxes,
    "metashift": write_metashift,
    "nico_pp": write_nico_pp,
    "rival10": write_rival10,
    "salient_imagenet": write_salient_imagenet,
    "spawrious": write_spawrious,
    "urbancars": write_urbancars,
    "waterbirds": write_waterbirds,
}
"""By `data.kind`."""
OWN_VALIDATION = frozenset({"urbancars", "waterbirds"})
"""Those that come with validation images."""
