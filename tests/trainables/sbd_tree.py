"""The Semantic Boundaries Dataset in its real layout, with images of a few pixels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from tests.trainables.voc_tree import TRAIN, VAL, class_map, write_image


def write_segmentation(path: Path, values_HW: Any) -> None:
    """Write `GTcls.Segmentation`, next to boundaries that nothing reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = [("Boundaries", "O"), ("Segmentation", "O")]
    savemat(path, {"GTcls": np.array([(np.zeros(1), values_HW)], dtype=fields)})


def write_sbd(root: Path, *, train: Mapping[str, Any] = TRAIN, val: Mapping[str, Any] = VAL) -> None:
    """Write images, masks and the three lists; `train_noval` is the first two of `train`."""
    lists = {"train": list(train), "val": list(val), "train_noval": list(train)[:2]}
    root.mkdir(parents=True, exist_ok=True)
    for name, stems in lists.items():
        (root / f"{name}.txt").write_text("".join(f"{stem}\n" for stem in stems))
    for seed, (stem, parts) in enumerate({**train, **val}.items()):
        values_HW = class_map(parts)
        write_segmentation(root / "cls" / f"{stem}.mat", values_HW)
        write_image(root / "img" / f"{stem}.jpg", values_HW, seed=seed)
