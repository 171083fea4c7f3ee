"""RIVAL10: ten classes of ImageNet with masks of the whole object (Moayeri et al. 2022, CVPR).

Layout `<root>/RIVAL10/{train,test}/ordinary/<wnid>_<image>.JPEG`, and the object of some in
`<root>/RIVAL10/{train,test}/entire_object_masks/<wnid>_<image>.JPEG`. `<wnid>_<image>_merged_mask.JPEG` next to an
image is not read: it shows the attributes that were marked, such as wheels and text, and not the object.
"""

from collections.abc import Iterator
from pathlib import Path

from trainables.config import ConfigError, StandardSet, ThresholdMasks
from trainables.data.folders import Folders
from trainables.data.sets.class_folders import images_in
from trainables.data.sets.set_table import SetTable, columns_of, set_folder

_FOLDER, _MASKS = "RIVAL10", "entire_object_masks"
_ATTRIBUTES = "_merged_mask.JPEG"
_CLASSES = {
    "truck": ("n03796401", "n04467665"),
    "car": ("n02814533", "n03100240"),
    "plane": ("n02690373", "n04552348"),
    "ship": ("n03673027", "n03095699"),
    "cat": ("n02123394", "n02124075"),
    "dog": ("n02099712", "n02099601"),
    "equine": ("n02389026", "n02391049"),
    "deer": ("n02423022", "n02422699"),
    "frog": ("n01644900", "n01644373"),
    "bird": ("n01531178", "n01532829"),
}
_CLASS_OF = {wnid: name for name, wnids in _CLASSES.items() for wnid in wnids}
_REMEDY = (
    "unpack rival10.zip, to which https://github.com/mmoayeri/RIVAL10 links, with {train,test}/" + _MASKS + ", and set "
    f"data.root to the folder that holds {_FOLDER}"
)


def read_rival10(config: StandardSet, folders: Folders) -> SetTable:
    """List the unchanged images, whose class follows from ImageNet's name for it, and their objects' masks."""
    root = Path(config.root)
    set_folder(root, (_FOLDER,), "train/ordinary", download=_REMEDY)
    rows = [row for split in ("train", "test") for row in _rows(root, split, folders)]
    return SetTable(source=root / _FOLDER, columns=columns_of(rows), masks=ThresholdMasks(), remedy=_REMEDY)


def _rows(root: Path, split: str, folders: Folders) -> Iterator[dict[str, str | None]]:
    folder, masks = f"{_FOLDER}/{split}/ordinary", f"{_FOLDER}/{split}/{_MASKS}"
    there = folders.sizes(root / masks)
    for name in images_in(root, folder, folders, remedy=_REMEDY):
        if name.endswith(_ATTRIBUTES):
            continue
        wnid = name.partition("_")[0]
        if wnid not in _CLASS_OF:
            raise ConfigError(f"data.root: found {root / folder / name}; expected <wnid>_<image> of RIVAL10's classes")
        mask = f"{masks}/{name}" if name in there else None
        yield {"path": f"{folder}/{name}", "label": _CLASS_OF[wnid], "split": split, "mask": mask}
