"""ImageNet-9: nine classes of ImageNet, and its test images on other backgrounds (Xiao et al. 2021, ICLR).

Layout `<root>/in9l/train/<class>/<image>`, or `original/train` for `in9l/train`, and
`<root>/bg_challenge/<variant>/val/<class>/<image>`. The variant `original` is the test set, and the others are shifted
sets. `bg_challenge/fg_mask/val/<class>/<image>.npy` is a mask. `in9l/val` is not read: it shows the test images before
they were cleaned.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from trainables.config import NonzeroMasks, StandardSet
from trainables.config.sets import IMAGENET_9_VARIANTS
from trainables.data.folders import Folders
from trainables.data.sets.class_folders import images_of, sub_folders
from trainables.data.sets.set_table import SetTable, columns_of, set_folder

_CHALLENGE, _MASKS = "bg_challenge", "bg_challenge/fg_mask/val"
_TRAINING = ("in9l", "original")
_REMEDY = (
    "unpack backgrounds_challenge_data.tar.gz of https://github.com/MadryLab/backgrounds_challenge/releases as "
    "bg_challenge next to in9l or original, the training images that the README there links to, and set data.root to "
    "the folder that holds both"
)


def read_imagenet_9(config: StandardSet, folders: Folders) -> SetTable:
    """List the folders of the training images, of the original test images, and of their variants."""
    root = Path(config.root)
    training = set_folder(root, _TRAINING, "train", download=_REMEDY)
    parts = {"train": f"{training}/train", "test": f"{_CHALLENGE}/original/val"}
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
