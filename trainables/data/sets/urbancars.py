"""UrbanCars: cars on a background and next to a second object that mostly fit them (Li et al. 2023, CVPR).

Layout `<root>/urbancars/bg-<r>_co_occur_obj-<r>/{train,val,test}/obj-<X>_bg-<Y>_co_occur_obj-<Z>/<n>.jpg`, with r of
0.95 in training and 0.5 elsewhere. The mask of the car is `<n>_mask.png`; the second object counts as background.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from trainables.config import ConfigError, ThresholdMasks, UrbanCars
from trainables.data.folders import Folders
from trainables.data.sets.class_folders import images_of, sub_folders
from trainables.data.sets.set_table import SetTable, columns_of, set_folder

_GROUP = re.compile(r"obj-(?P<label>\w+)_bg-(?P<bg>\w+?)_co_occur_obj-(?P<co_occur_obj>\w+)")
_ENDING = ".jpg"
"""Of images, in either case. The PNG files next to them are masks, and backgrounds alone for training on them."""
_EVEN = 0.5
"""The ratio of the publisher's validation and test images."""
_REMEDY = (
    "make the set with create_datasets/urbancars of https://github.com/facebookresearch/Whac-A-Mole, and set data.root "
    "to the folder that holds urbancars"
)


def read_urbancars(config: UrbanCars, folders: Folders) -> SetTable:
    """List the folders; an image's group is its car, its background and its second object."""
    root = Path(config.root)
    parts = {"train": _ratio(config.ratio), "val": _ratio(_EVEN), "test": _ratio(_EVEN)}
    base = set_folder(root, ("urbancars",), parts["train"], download=_REMEDY)
    rows = [row for split, part in parts.items() for row in _rows(root / base, f"{part}/{split}", split, folders)]
    for row in rows:
        row["mask"] = f"{base}/{row['path'][: -len(_ENDING)]}_mask.png"
    return SetTable(
        source=root / base,
        folder=base,
        columns=columns_of(rows),
        groups=("label", "bg", "co_occur_obj"),
        masks=ThresholdMasks(),
        remedy=_REMEDY,
    )


def _ratio(ratio: float) -> str:
    return f"bg-{ratio}_co_occur_obj-{ratio}"


def _rows(base: Path, part: str, split: str, folders: Folders) -> Iterator[dict[str, str]]:
    names = sub_folders(base, part, remedy=_REMEDY)
    found = {f"{part}/{name}": _GROUP.fullmatch(name) for name in names}
    for folder, group in found.items():
        if group is None:
            raise ConfigError(f"data.root: found {base / folder}; expected obj-<X>_bg-<Y>_co_occur_obj-<Z>")
    for folder, name in images_of(base, found, folders, remedy=_REMEDY):
        if name.lower().endswith(_ENDING):
            values = found[folder]
            assert values is not None, "checked above"
            yield {"path": f"{folder}/{name}", "split": split, **values.groupdict()}
