"""ImageNet with its bounding boxes, the largest free supply of weak masks (Russakovsky et al. 2015, IJCV 115).

Layout `<root>/ILSVRC/Data/CLS-LOC/{train/<wnid>,val}/<image>.JPEG` and
`<root>/ILSVRC/Annotations/CLS-LOC/{train/<wnid>,val}/<image>.xml`, as Kaggle packs it. The annotations of val say its
classes. About half of the training images have boxes.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from trainables.config import ConfigError, NonzeroMasks, StandardSet
from trainables.data.folders import Folders, first_few
from trainables.data.masks.voc_boxes import VocBoxMask
from trainables.data.sets.class_folders import images_in, sub_folders
from trainables.data.sets.set_table import SetTable, set_folder

_IMAGES, _BOXES = "ILSVRC/Data/CLS-LOC", "ILSVRC/Annotations/CLS-LOC"
_NAME = re.compile(rb"<name>\s*(\w+)\s*</name>")
_THREADS = 16
Columns = dict[str, list[str | None]]
_REMEDY = (
    "unpack imagenet-object-localization-challenge of Kaggle, or ILSVRC2012_bbox_train_v2 and ILSVRC2012_bbox_val_v3 "
    "of image-net.org in these folders, and set data.root to the folder that holds ILSVRC"
)


def read_imagenet_boxes(config: StandardSet, folders: Folders) -> SetTable:
    """List the images and their annotations; val is the test set."""
    root = Path(config.root)
    set_folder(root, (_IMAGES,), "train", download=_REMEDY)
    set_folder(root, (_BOXES,), "val", download=_REMEDY)
    wnids = sub_folders(root, f"{_IMAGES}/train", remedy=_REMEDY)
    folders.read(root / base / "train" / wnid for base in (_IMAGES, _BOXES) for wnid in wnids)
    columns = _val_columns(root, folders)
    for wnid in wnids:
        for name, cells in _train_columns(root, wnid, folders).items():
            columns[name] += cells
    return SetTable(
        source=root / _IMAGES,
        folder=_IMAGES,
        columns=columns,
        masks=NonzeroMasks(),  # In files; what they hold, the format says.
        mask_format=VocBoxMask(),
        remedy=_REMEDY,
    )


def _train_columns(root: Path, wnid: str, folders: Folders) -> Columns:
    """Return the images of a class. Lists, since a dictionary for each of a million rows would fill the memory."""
    part = f"train/{wnid}"
    names = images_in(root / _IMAGES, part, folders, remedy=_REMEDY)
    boxes = folders.sizes(root / _BOXES / part)
    stems = [PurePosixPath(name).stem for name in names]
    return {
        "path": [f"{part}/{name}" for name in names],
        "label": [wnid] * len(names),
        "split": ["train"] * len(names),
        "mask": [f"{_BOXES}/{part}/{stem}.xml" if f"{stem}.xml" in boxes else None for stem in stems],
    }


def _val_columns(root: Path, folders: Folders) -> Columns:
    names = images_in(root / _IMAGES, "val", folders, remedy=_REMEDY)
    masks = [f"{_BOXES}/val/{PurePosixPath(name).stem}.xml" for name in names]
    with ThreadPoolExecutor(_THREADS) as pool:
        labels = list(pool.map(_class_in, [root / mask for mask in masks]))
    without = [mask for mask, label in zip(masks, labels, strict=True) if label is None]
    if without:
        raise ConfigError(
            f"data.root: {len(without)} of {len(masks)} annotations of val are missing, or name no class: "
            f"{first_few(without)}; {_REMEDY}"
        )
    return {
        "path": [f"val/{name}" for name in names],
        "label": labels,
        "split": ["test"] * len(names),
        "mask": [*masks],
    }


def _class_in(path: Path) -> str | None:
    """Return the first class that an annotation names; None where there is none."""
    try:
        found = _NAME.search(path.read_bytes())
    except OSError:
        return None
    return found[1].decode() if found else None
