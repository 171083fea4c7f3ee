"""Salient ImageNet: where features of a network look on images of ImageNet (Singla and Feizi 2022, ICLR).

Layout `<root>/salient_imagenet/<wnid>/image_names_map.csv`, with a column of images for each feature, and
`<wnid>/feature_<i>/<image>.JPEG`, the feature's mask. `discover_spurious_features.csv` in the same folder has the
answers of five people on each feature. The folder may be called `salient_imagenet_dataset`, as its archive is. The
images are `<root>/imagenet/train/<wnid>/<image>.JPEG`.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from trainables.config import ConfigError, SoftMasks, StandardSet, Validation
from trainables.data.batch import Batch
from trainables.data.file_reader import FileReader
from trainables.data.folders import Folders, first_few
from trainables.data.image_file import ImageFile
from trainables.data.masks.soft_mask import SoftMask
from trainables.data.sets.set_table import SetTable, columns_of, read_columns, set_folder
from trainables.data.validation_cut import cut_off

_FOLDERS, _IMAGES = ("salient_imagenet", "salient_imagenet_dataset"), "imagenet/train"
_ANSWERS, _NAMES = "discover_spurious_features.csv", "image_names_map.csv"
_REMEDY = (
    "unpack the masks of https://github.com/singlasahil14/salient_imagenet as salient_imagenet, put its "
    f"mturk_results/{_ANSWERS} there too, link ImageNet as imagenet, and set data.root to the folder that holds both"
)
_SPURIOUS = ("separate_object", "background")
_MIN_SPURIOUS = 3
"""Of five answers: a feature with as many is spurious, any other is core."""
_TEST_CUT = Validation(share=0.2, seed=0)
"""The publisher has no test images: a fifth of each class is cut, always the same."""
_MASKS = SoftMasks(frame="resize256_crop224")
_SOFT = SoftMask(_MASKS.frame)
Features = dict[str, list[str]]
"""By the name of a class or of an image, some of its features."""


@dataclass(frozen=True)
class CoreFeatureMask:
    """A `MaskFormat` whose object is where any core feature of the image is; each has a file."""

    background_value: ClassVar[float] = SoftMask.background_value

    def read(self, image_file: ImageFile, size: Sequence[int], reader: FileReader, /) -> Tensor | None:
        """Return the least background that a core feature's mask leaves, HW."""
        paths = (image_file.mask_path, *image_file.more_masks)
        read = [_SOFT.read(image_file._replace(mask_path=path), size, reader) for path in paths]
        maps = [map_HW for map_HW in read if map_HW is not None]
        return torch.stack(maps).amin(0) if maps else None

    def label(self, image_file: ImageFile, map_HW: Tensor | None, /) -> int:
        """Return the listed label."""
        return _SOFT.label(image_file, map_HW)

    def batch(
        self, images_BCHW: Tensor, maps: Sequence[Tensor | None], labels_B: Tensor, ids: tuple[str, ...]
    ) -> Batch:
        """Return the batch as one of soft masks."""
        return _SOFT.batch(images_BCHW, maps, labels_B, ids)


def read_salient_imagenet(config: StandardSet, _: Folders) -> SetTable:
    """Read which images a feature of each class has; an image's object is where any of its core features is."""
    root = Path(config.root)
    folder = set_folder(root, _FOLDERS, _ANSWERS, download=_REMEDY)
    base = root / folder
    core = core_features(base / _ANSWERS)
    _check_classes(base, core)
    rows: list[dict[str, str | None]] = []
    more_masks: list[tuple[str, ...]] = []
    for wnid in sorted(core):
        for row, masks in _rows(base / wnid, core[wnid]):
            paths = [f"{folder}/{mask}" for mask in masks]
            rows.append({**row, "mask": paths[0] if paths else None})
            more_masks.append(tuple(paths[1:]))
    columns = columns_of(rows)
    is_test_N = cut_off(np.unique(np.array(columns["label"]), return_inverse=True)[1], _TEST_CUT)
    columns["split"] = ["test" if is_test else "train" for is_test in is_test_N.tolist()]
    return SetTable(
        source=base,
        folder=_IMAGES,
        columns=columns,
        masks=_MASKS,
        mask_format=CoreFeatureMask(),
        more_masks=more_masks,
        remedy=_REMEDY,
    )


def core_features(path: Path) -> Features:
    """Return the features of each class of which fewer than three answers say that they are not of the object."""
    table = read_columns(path, "Input.wordnet_id", "Input.feature_index", "Answer.main")
    wnids, features, answers = (column.to_pylist() for column in table.columns.values())
    num_spurious = Counter(
        (wnid, feature) for wnid, feature, answer in zip(wnids, features, answers, strict=True) if answer in _SPURIOUS
    )
    core: Features = {wnid: [] for wnid in wnids}
    for wnid, feature in dict.fromkeys(zip(wnids, features, strict=True)):
        if num_spurious[wnid, feature] < _MIN_SPURIOUS:
            core[wnid].append(feature)
    return core


def _check_classes(base: Path, core: Features) -> None:
    missing = [str(base / wnid / _NAMES) for wnid in sorted(core) if not (base / wnid / _NAMES).is_file()]
    if missing:
        raise ConfigError(
            f"data.root: {len(missing)} of {len(core)} classes of {base / _ANSWERS} are missing: {first_few(missing)}; "
            f"{_REMEDY}, or remove the rows of these classes"
        )


def _rows(folder: Path, core: Sequence[str]) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yield a class's images by name, with the masks of their core features, of which an image may have none."""
    wnid, path = folder.name, folder / _NAMES
    names = _names_by_feature(path)
    unknown = [feature for feature in core if feature not in names]
    if unknown:
        raise ConfigError(f"data.root: {path} has no column {unknown[0]}, a feature of {wnid} in {_ANSWERS}")
    features_of: Features = {name: [] for name in sorted({name for listed in names.values() for name in listed})}
    for feature in core:
        for name in names[feature]:
            features_of[name].append(feature)
    for name, features in features_of.items():
        masks = [f"{wnid}/feature_{feature}/{name}.JPEG" for feature in features]
        yield {"path": f"{wnid}/{name}.JPEG", "label": wnid}, masks


def _names_by_feature(path: Path) -> dict[str, list[str]]:
    """Return the images that each column lists, without endings."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"data.root: {path} cannot be read as a table of images ({error}); {_REMEDY}") from error
    return {
        feature: [row[place].removesuffix(".JPEG") for row in rows if place < len(row) and row[place]]
        for place, feature in enumerate(header)
        if feature.isdecimal()
    }
