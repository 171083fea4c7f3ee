"""Salient ImageNet: where features of a network look on images of ImageNet (Singla and Feizi 2022, ICLR).

Layout `<root>/salient_imagenet/<wnid>/image_names_map.csv`, with a column of images for each feature, and
`<wnid>/feature_<i>/<image>.JPEG`, the feature's mask. `discover_spurious_features.csv` in the same folder has the
answers of five people on each feature. The images are `<root>/imagenet/train/<wnid>/<image>.JPEG`.
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
from trainables.data.folders import Folders
from trainables.data.image_file import ImageFile
from trainables.data.masks.soft_mask import SoftMask
from trainables.data.sets.set_table import SetTable, columns_of, read_columns, set_folder
from trainables.data.validation_cut import cut_off

_FOLDER, _IMAGES = "salient_imagenet", "imagenet/train"
_ANSWERS, _NAMES = "discover_spurious_features.csv", "image_names_map.csv"
_REMEDY = (
    "unpack the masks of https://github.com/singlasahil14/salient_imagenet as salient_imagenet, put its "
    f"mturk_results/{_ANSWERS} there too, and link ImageNet as imagenet"
)
_SPURIOUS = ("separate_object", "background")
_MIN_SPURIOUS = 3
"""Of five answers: a feature with as many is spurious, any other is core."""
_TEST_CUT = Validation(share=0.2, seed=0)
"""The publisher has no test images: a fifth of each class is cut, always the same."""
_MASKS = SoftMasks(frame="resize256_crop224")
_SOFT = SoftMask(_MASKS.frame)
Features = dict[str, list[str]]
"""By wnid, some of its features."""


@dataclass(frozen=True)
class CoreFeatureMask:
    """A `MaskFormat` whose object is where any core feature of the image's class is; `mask_path` is one of them."""

    core: Features
    background_value: ClassVar[float] = SoftMask.background_value

    def read(self, image_file: ImageFile, size: Sequence[int], reader: FileReader, /) -> Tensor | None:
        """Return the least background that a core feature's mask leaves, HW."""
        if image_file.mask_path is None:
            return None
        folder, name = image_file.mask_path.parents[1], image_file.mask_path.name
        paths = [folder / f"feature_{feature}" / name for feature in self.core[folder.name]]
        files = [image_file._replace(mask_path=path) for path in paths if path.is_file()]
        maps = [_SOFT.read(file, size, reader) for file in files or [image_file]]
        return torch.stack([map_HW for map_HW in maps if map_HW is not None]).amin(0)

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
    base = root / set_folder(root, (_FOLDER,), _ANSWERS, download=_REMEDY)
    core = core_features(base / _ANSWERS)
    wnids = sorted(wnid for wnid in core if (base / wnid / _NAMES).is_file())
    if not wnids:
        raise ConfigError(f"data.root: {base} holds no <wnid>/{_NAMES} of the classes in {_ANSWERS}; {_REMEDY}")
    columns = columns_of([row for wnid in wnids for row in _rows(base / wnid, core[wnid])])
    is_test_N = cut_off(np.unique(np.array(columns["label"]), return_inverse=True)[1], _TEST_CUT)
    columns["split"] = ["test" if is_test else "train" for is_test in is_test_N.tolist()]
    return SetTable(
        source=base,
        folder=_IMAGES,
        columns=columns,
        masks=_MASKS,
        mask_format=CoreFeatureMask(core),
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


def _rows(folder: Path, core: Sequence[str]) -> Iterator[dict[str, str | None]]:
    """Yield a class's images by name; one that has no core feature has no mask."""
    wnid, path = folder.name, folder / _NAMES
    names = _names_by_feature(path)
    unknown = [feature for feature in core if feature not in names]
    if unknown:
        raise ConfigError(f"data.root: {path} has no column {unknown[0]}, a feature of {wnid} in {_ANSWERS}")
    feature_of = {name: feature for feature in reversed(core) for name in names[feature]}
    for name in sorted({name for listed in names.values() for name in listed}):
        feature = feature_of.get(name)
        mask = None if feature is None else f"{_FOLDER}/{wnid}/feature_{feature}/{name}.JPEG"
        yield {"path": f"{wnid}/{name}.JPEG", "label": wnid, "mask": mask}


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
