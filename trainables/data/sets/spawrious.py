"""Spawrious: generated dogs of four breeds in six places (Lynch et al. 2023).

Layout `<root>/spawrious224/{0,1}/<place>/<breed>/*.png`. In a one-to-one split (o2o) each breed is trained in a
place of its own, and some of each in a fifth. In a many-to-many split (m2m) pairs of breeds share two places.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from trainables.config import Spawrious
from trainables.config.sets import SpawriousSplit
from trainables.data.folders import Folders
from trainables.data.sets.class_folders import images_in
from trainables.data.sets.set_table import SetTable, columns_of, set_folder

BREEDS = ("bulldog", "dachshund", "labrador", "corgi")
"""In the order of the splits' places."""
NUM_IMAGES = 3168
"""Of each breed in each place, in either of the folders 0 and 1."""
NUM_IN_OWN_PLACE = (int(0.97 * NUM_IMAGES), int(0.87 * NUM_IMAGES))
"""Training images of a one-to-one split in each breed's own place, of the folders 0 and 1; the others are elsewhere."""
_FOLDER = "spawrious224"
_REMEDY = (
    f"unpack the archive of this split from https://github.com/aengusl/spawrious, and set data.root to the folder "
    f"that holds {_FOLDER}"
)


class _Places(NamedTuple):
    train: tuple[str, ...]
    test: tuple[str, ...]
    """By breed, or for m2m by pair of breeds, which have both places of the pair."""
    elsewhere: str | None = None
    """Where some images of every breed are trained."""


_PLACES: dict[SpawriousSplit, _Places] = {
    "o2o_easy": _Places(("desert", "jungle", "dirt", "snow"), ("dirt", "snow", "desert", "jungle"), "beach"),
    "o2o_medium": _Places(("mountain", "beach", "dirt", "jungle"), ("jungle", "dirt", "beach", "snow"), "desert"),
    "o2o_hard": _Places(("jungle", "mountain", "snow", "desert"), ("mountain", "snow", "desert", "jungle"), "beach"),
    "m2m_easy": _Places(("desert", "mountain", "dirt", "jungle"), ("dirt", "jungle", "mountain", "desert")),
    "m2m_medium": _Places(("beach", "snow", "mountain", "desert"), ("desert", "mountain", "beach", "snow")),
    "m2m_hard": _Places(("dirt", "jungle", "snow", "beach"), ("snow", "beach", "dirt", "jungle")),
}


class _Part(NamedTuple):
    """Images of one folder of a breed."""

    split: str
    half: int
    place: str
    breed: str
    limit: int | None
    """How many of them are taken, in the order of their names; None takes all."""


def read_spawrious(config: Spawrious, folders: Folders) -> SetTable:
    """List the folders of a split; an image's group is its breed and its place."""
    root = Path(config.root)
    base = root / set_folder(root, (_FOLDER,), "0", download=_REMEDY)
    places = _PLACES[config.split]
    parts = list(_one_to_one(places) if config.split.startswith("o2o") else _pairs(places))
    folders.read(base / f"{part.half}/{part.place}/{part.breed}" for part in parts)
    rows = [row for part in parts for row in _rows(base, part, folders)]
    return SetTable(source=base, folder=_FOLDER, columns=columns_of(rows), groups=("label", "place"), remedy=_REMEDY)


def _one_to_one(places: _Places) -> Iterator[_Part]:
    assert places.elsewhere is not None, "the literals above say it"
    for half, num in enumerate(NUM_IN_OWN_PLACE):
        for breed, place, test in zip(BREEDS, places.train, places.test, strict=True):
            yield _Part("train", half, place, breed, num)
            yield _Part("train", half, places.elsewhere, breed, NUM_IMAGES - num)
            yield _Part("test", half, test, breed, None)


def _pairs(places: _Places) -> Iterator[_Part]:
    for number, breed in enumerate(BREEDS):
        first = 2 * (number // 2)
        for split in ("train", "test"):
            for place in getattr(places, split)[first : first + 2]:
                yield _Part(split, 0, place, breed, NUM_IMAGES if split == "train" else None)


def _rows(base: Path, part: _Part, folders: Folders) -> Iterator[dict[str, str]]:
    below = f"{part.half}/{part.place}/{part.breed}"
    for name in islice(images_in(base, below, folders, remedy=_REMEDY), part.limit):
        yield {"path": f"{below}/{name}", "label": part.breed, "split": part.split, "place": part.place}
