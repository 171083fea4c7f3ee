"""ImageNet-9: nine classes of ImageNet, and its test images on other backgrounds (Xiao et al. 2021, ICLR).

Layout `<root>/in9l/{train,val}/<class>/<image>` and `<root>/bg_challenge/<variant>/val/<class>/<image>`. The variant
`original` is the test set, the others are shifted sets. `bg_challenge/fg_mask/val/<class>/<image>.npy` is a mask.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from trainables.config import NonzeroMasks, StandardSet
from trainables.config.sets import IMAGENET_9_VARIANTS
from trainables.data.folders import Folders
from trainables.data.sets.class_folders import images_of, sub_folders
from trainables.data.sets.set_table import SetTable, columns_of

_CHALLENGE, _MASKS = "bg_challenge", "bg_challenge/fg_mask/val"
_REMEDY = (
    "unpack in9l.tar.gz and backgrounds_challenge_data.tar.gz of https://github.com/MadryLab/backgrounds_challenge/"
    "releases, and set data.root to the folder that holds in9l and bg_challenge"
)


def read_imagenet_9(config: StandardSet, folders: Folders) -> SetTable:
    """List the folders of the training images, of the original test images, and of their variants."""
    root = Path(config.root)
    parts = {"train": "in9l/train", "val": "in9l/val", "test": f"{_CHALLENGE}/original/val"}
    parts |= {variant: f"{_CHALLENGE}/{variant}/val" for variant in IMAGENET_9_VARIANTS}
    rows = [row for split, part in parts.items() for row in _rows(root, part, split, folders)]
    return SetTable(
        source=root,
        columns=columns_of(rows),
        masks=NonzeroMasks(),
        shift=IMAGENET_9_VARIANTS,
        remedy=_REMEDY,
    )


def _rows(root: Path, part: str, split: str, folders: Folders) -> Iterator[dict[str, str | None]]:
    classes = {f"{part}/{name}": name for name in sub_folders(root, part, remedy=_REMEDY)}
    for folder, name in images_of(root, classes, folders, remedy=_REMEDY):
        label, mask = classes[folder], None
        if split == "test":
            mask = f"{_MASKS}/{label}/{PurePosixPath(name).with_suffix('.npy')}"
        yield {"path": f"{folder}/{name}", "label": label, "split": split, "mask": mask}
