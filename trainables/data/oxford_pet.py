"""Oxford-IIIT Pet: images of cats and dogs with trimaps (Parkhi et al., "Cats and Dogs", CVPR 2012).

Layout `<root>/oxford-iiit-pet`: `images/*.jpg`, `annotations/{trainval,test}.txt`, `annotations/trimaps/*.png`.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor
from torchvision.datasets import OxfordIIITPet

from trainables.config import ConfigError, OxfordPet
from trainables.data.dataset import DataBundle
from trainables.data.image_file import ImageFile
from trainables.data.image_files import image_bundle
from trainables.data.image_list import ImageList, check_apart, check_once, read_lines
from trainables.data.masks.levels import grey_values
from trainables.data.masks.mask_format import ObjectMask

SPECIES = ("cat", "dog")
BREEDS = (
    "Abyssinian",
    "american_bulldog",
    "american_pit_bull_terrier",
    "basset_hound",
    "beagle",
    "Bengal",
    "Birman",
    "Bombay",
    "boxer",
    "British_Shorthair",
    "chihuahua",
    "Egyptian_Mau",
    "english_cocker_spaniel",
    "english_setter",
    "german_shorthaired",
    "great_pyrenees",
    "havanese",
    "japanese_chin",
    "keeshond",
    "leonberger",
    "Maine_Coon",
    "miniature_pinscher",
    "newfoundland",
    "Persian",
    "pomeranian",
    "pug",
    "Ragdoll",
    "Russian_Blue",
    "saint_bernard",
    "samoyed",
    "scottish_terrier",
    "shiba_inu",
    "Siamese",
    "Sphynx",
    "staffordshire_bull_terrier",
    "wheaten_terrier",
    "yorkshire_terrier",
)
"""Breeds by class id less one, as the images' file names spell them."""

_OBJECT, _BOUNDARY = 1, 3  # Of a trimap; 2 is background, and the boundary counts as background.


class _Listed(NamedTuple):
    """One line of a list file; class id and species start at 0."""

    stem: str
    breed: int
    species: int


def build_oxford_pet(config: OxfordPet) -> DataBundle:
    """Read trainval as the images to train and validate on, and test as the test set."""
    folder = Path(config.root, "oxford-iiit-pet")
    if config.download:
        _download(Path(config.root))
    train_path, test_path = (folder / "annotations" / name for name in ("trainval.txt", "test.txt"))
    train_lines, test_lines = (_of_breeds(config, _read_list(folder, path), path) for path in (train_path, test_path))
    check_apart(train_path, [line.stem for line in train_lines], test_path, [line.stem for line in test_lines])
    class_names, label_of = _labels(config, train_lines + test_lines)

    train, test = (
        ImageList([_image(folder, line, label_of) for line in lines], folder) for lines in (train_lines, test_lines)
    )
    mask_format = ObjectMask(grey_values, trimap_background)
    return image_bundle(config, train=train, test=test, class_names=class_names, mask_format=mask_format)


def trimap_background(trimap_HW: Tensor, _: int | None) -> Tensor:
    """Return the map of a trimap (1 object, 2 background, 3 boundary), whose boundary is background.

    Raises:
        ValueError: It holds other values.
    """
    lowest, highest = trimap_HW.aminmax()
    if lowest < _OBJECT or highest > _BOUNDARY:
        is_other_HW = (trimap_HW < _OBJECT) | (trimap_HW > _BOUNDARY)
        others = ", ".join(map(str, sorted(set(trimap_HW[is_other_HW].tolist()))))
        raise ValueError(f"has the values {others}; a trimap has only 1 (object), 2 (background) and 3 (boundary)")
    return torch.from_numpy(np.not_equal(trimap_HW.numpy(), _OBJECT).view(np.uint8))


def _of_breeds(config: OxfordPet, lines: list[_Listed], path: Path) -> list[_Listed]:
    if config.breeds is None:
        return lines
    there = {BREEDS[line.breed] for line in lines}
    missing = [breed for breed in config.breeds if breed not in there]
    if missing:
        raise ConfigError(f"data.breeds: {path} has no {', '.join(missing)}; it has {', '.join(sorted(there))}")
    return [line for line in lines if BREEDS[line.breed] in config.breeds]


def _labels(config: OxfordPet, lines: list[_Listed]) -> tuple[tuple[str, ...], dict[tuple[int, int], int]]:
    """Return the class names, and the label by (breed, species)."""
    listed = {(line.breed, line.species) for line in lines}
    match config.labels:
        case "breed":
            return BREEDS, {key: key[0] for key in listed}
        case "species":
            return SPECIES, {key: key[1] for key in listed}
        case "present_breed":
            present = sorted({breed for breed, _ in listed})
            return tuple(BREEDS[breed] for breed in present), {key: present.index(key[0]) for key in listed}


def _image(folder: Path, line: _Listed, label_of: dict[tuple[int, int], int]) -> ImageFile:
    return ImageFile(
        path=folder / "images" / f"{line.stem}.jpg",
        mask_path=folder / "annotations" / "trimaps" / f"{line.stem}.png",
        label=label_of[line.breed, line.species],
        id=line.stem,
    )


def _read_list(folder: Path, path: Path) -> list[_Listed]:
    lines = read_lines(
        path,
        remedy=f"looked for {folder}/images/*.jpg, {folder}/annotations/{{trainval,test}}.txt and "
        f"{folder}/annotations/trimaps/*.png; set data.root to the folder that holds oxford-iiit-pet, or "
        "data.download=true to fetch it",
    )
    listed = [_parse(line, where=where) for where, line in lines.items()]
    check_once(path, [line.stem for line in listed])
    return listed


def _parse(line: str, *, where: str) -> _Listed:
    """Read `<breed>_<number> <class id> <species> <breed id>`; the breed must fit its class id."""
    fields = line.split()
    expected = f"{where}: found {line!r}; expected a breed's <name>_<number>, its class id from 1 to 37, species 1 or 2"
    if len(fields) != 4 or not all(field.isdecimal() for field in fields[1:]):
        raise ConfigError(expected)
    stem, class_id, species = fields[0], int(fields[1]), int(fields[2])
    if not 1 <= class_id <= len(BREEDS) or not 1 <= species <= len(SPECIES):
        raise ConfigError(expected)
    if stem.rpartition("_")[0] != BREEDS[class_id - 1]:
        raise ConfigError(f"{where}: {stem} has class id {class_id}, which is {BREEDS[class_id - 1]}")
    right = 1 if stem[0].isupper() else 2  # The names of cats' breeds have a capital, those of dogs' have none.
    if species != right:
        raise ConfigError(f"{where}: {stem} has species {species}, and a {SPECIES[right - 1]} has species {right}")
    return _Listed(stem, class_id - 1, species - 1)


def _download(root: Path) -> None:
    """Fetch the missing archives into `root`; only one worker of a machine does so at a time."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".oxford-iiit-pet.lock"):
            OxfordIIITPet(root, download=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"data.download: Oxford-IIIT Pet could not be fetched into {root}: {error}") from error
