"""CUB-200-2011: birds of 200 species, and the segmentations of them that Waterbirds shares (Wah et al. 2011).

Layout `<root>/CUB_200_2011/{images,image_class_labels,train_test_split,classes}.txt` and `images/<class>/<image>.jpg`.
The segmentations are an archive of their own, `segmentations/<class>/<image>.png`: grey, as bright as the share of
annotators who saw the bird there.
"""

from pathlib import Path, PurePosixPath

from trainables.config import ConfigError, SoftMasks, StandardSet
from trainables.data.folders import Folders, first_few
from trainables.data.image_list import read_lines
from trainables.data.sets.set_table import SetTable, set_folder

_FOLDER = "CUB_200_2011"
_SEGMENTATIONS = (f"{_FOLDER}/segmentations", "segmentations")
_REMEDY = (
    "unpack https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz, and set data.root to the folder that "
    f"holds {_FOLDER}"
)
_SPLITS = {"1": "train", "0": "test"}


def read_cub(config: StandardSet, _: Folders) -> SetTable:
    """Read the lists, in which each line is an image's or a class's number and what belongs to it."""
    root = Path(config.root)
    base = root / set_folder(root, (_FOLDER,), "images.txt", download=_REMEDY)
    masks = segmentations(root, without="data.kind=table reads CUB without masks")
    paths, classes = _listed(base / "images.txt"), _listed(base / "classes.txt")
    labels, splits = (_listed(base / f"{name}.txt", paths) for name in ("image_class_labels", "train_test_split"))
    _check(base / "image_class_labels.txt", labels, classes)
    _check(base / "train_test_split.txt", splits, _SPLITS)
    return SetTable(
        source=base / "images.txt",
        folder=f"{_FOLDER}/images",
        columns={
            "path": list(paths.values()),
            "label": [classes[labels[number]] for number in paths],
            "split": [_SPLITS[splits[number]] for number in paths],
            "mask": [f"{masks}/{PurePosixPath(path).with_suffix('.png')}" for path in paths.values()],
        },
        masks=SoftMasks(),
        remedy="unpack the set and its segmentations again",
    )


def _listed(path: Path, numbers: dict[str, str] | None = None) -> dict[str, str]:
    """Return what a list has for each number; ConfigError where it lacks one of `numbers`."""
    found = {}
    for where, line in read_lines(path, remedy=_REMEDY).items():
        number, _, value = line.strip().partition(" ")
        if not value:
            raise ConfigError(f"{where}: found {line!r}; expected a number and a value")
        found[number] = value
    missing = sorted(set(numbers or ()) - set(found), key=int)
    if missing:
        raise ConfigError(f"data.root: {path} lacks {len(missing)} images of images.txt: {first_few(missing)}")
    return found


def _check(path: Path, found: dict[str, str], valid: dict[str, str]) -> None:
    number = next((number for number, value in found.items() if value not in valid), None)
    if number is not None:
        raise ConfigError(f"{path}: found {number} {found[number]}; expected one of {first_few(list(valid))}")


def segmentations(root: Path, *inside: str, without: str) -> str:
    """Return the folder below the root that holds CUB's segmentations; ConfigError where there is none.

    Args:
        root: The root of the data.
        inside: Where else they may be.
        without: Ends the message: what works without them.
    """
    names = (*_SEGMENTATIONS, *inside)
    found = next((name for name in names if (root / name).is_dir()), None)
    if found is None:
        raise ConfigError(
            f"data.root: {root} holds no {' or '.join(names)}, the masks; unpack "
            f"https://data.caltech.edu/records/w9d68-gec53/files/segmentations.tgz in {root}; {without}"
        )
    return found
