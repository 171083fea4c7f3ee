"""Which object is put before which scene: agreement, groups and splits, from a seed alone.

Shape letters: N objects, S scenes.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.files.text import plural
from trainables.config import ConfigError

Ints = npt.NDArray[np.int64]
Rng = np.random.Generator
Split = Literal["train", "val", "test"]
Look = Literal["composed", "only_fg", "no_fg", "only_bg", "clean"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SHIFTED = ("clean", "only_fg", "no_fg", "only_bg", "mixed_same", "mixed_rand", "mixed_next")
"""The shifted sets, each of all test objects. All but the first and `only_bg` are those of ImageNet-9."""
_AGREEMENT, _SCENES, _RANDOM_KINDS, _PICK = range(4)
"""Streams of random numbers, so that one choice does not change another."""


class Planned(NamedTuple):
    """One image to write."""

    set: str
    """Its split, or the shifted set that it belongs to."""
    split: Split
    object: int
    """The object's place among those of its split."""
    scene: int | None
    """None where it shows no scene."""
    place: float
    """Which part of the scene, in [0, 1]."""
    look: Look = "composed"


def own_kinds(labels_N: Ints, num_kinds: int) -> Ints:
    """Return the kind of scene of each class: class k has kind k mod `num_kinds`."""
    return labels_N % num_kinds


def split_scenes(kinds_S: Ints, shares: Sequence[float], names: Sequence[str], seed: int) -> Ints:
    """Return the split of each scene, 0 to 2: of each kind its share, chosen at random.

    Raises:
        ConfigError: A kind has too few scenes for every split to have one.
    """
    rng, splits_S = np.random.default_rng([seed, _SCENES]), np.zeros_like(kinds_S)
    for kind, name in enumerate(names):
        of_kind = rng.permutation(np.flatnonzero(kinds_S == kind))
        ends = np.rint(np.cumsum(shares)[:2] * len(of_kind)).astype(np.int64)
        parts = np.split(of_kind, ends)
        if not all(len(part) for part in parts):
            raise ConfigError(
                f"--scenes: the kind {name} has {plural(len(of_kind), 'scene')}, too few for one in each split by "
                f"--scene-shares {' '.join(f'{share:g}' for share in shares)}; add scenes, or take fewer kinds"
            )
        for split, part in enumerate(parts):
            splits_S[part] = split
    return splits_S


def training_kinds(labels_N: Ints, num_kinds: int, agreement: float, seed: int) -> Ints:
    """Return the kind of scene of each training object: of each class its own for `agreement` of its images.

    Others take turns with the kinds 1 to n - 1 places after their class's own, over all classes. Numbers are rounded so
    that their sum over the classes is right. At another agreement, the same seed takes more or fewer of the same
    images.
    """
    rng, kinds_N = np.random.default_rng([seed, _AGREEMENT]), own_kinds(labels_N, num_kinds)
    done = planned = 0
    for label in np.unique(labels_N):
        of_class = rng.permutation(np.flatnonzero(labels_N == label))
        planned += len(of_class)
        num = round((1 - agreement) * planned) - done
        kinds_N[of_class[:num]] += 1 + np.arange(done, done + num) % (num_kinds - 1)
        done += num
    return kinds_N % num_kinds


def pick_scenes(kinds_N: Ints, kinds_S: Ints, allowed_S: npt.NDArray[np.bool_], rng: Rng) -> Ints:
    """Return a scene of the wanted kind for each image; none is taken again before all of its kind were."""
    scenes_N = np.zeros_like(kinds_N)
    for kind in np.unique(kinds_N):
        of_kind = np.flatnonzero(kinds_N == kind)
        scenes_N[rng.permutation(of_kind)] = np.resize(
            rng.permutation(np.flatnonzero((kinds_S == kind) & allowed_S)), len(of_kind)
        )
    return scenes_N


def plan_images(
    labels: Mapping[Split, Ints], kinds_S: Ints, splits_S: Ints, *, agreement: float, seed: int
) -> Iterator[Planned]:
    """Yield the images of the splits, then those of the shifted sets.

    A training object stands before one scene. A validation or test object stands before one scene of each kind, so that
    all groups of a class have the same objects. Shifted sets show the test objects: `mixed_same`, `no_fg` and `only_bg`
    share a scene of the class's own kind, `mixed_next` has one of the next kind, and `mixed_rand` of any.

    Args:
        labels: The labels of the objects of each split.
        kinds_S: The kind of each scene.
        splits_S: The split of each scene.
        agreement: Share of the training images that stand before their class's own kind of scene.
        seed: Decides everything.
    """
    num_kinds = int(kinds_S.max()) + 1
    number = count()

    def before(set_: str, split: Split, kinds_N: Ints) -> list[Planned]:
        rng = np.random.default_rng([seed, _PICK, next(number)])
        places_N = rng.random(len(kinds_N))
        scenes_N = pick_scenes(kinds_N, kinds_S, splits_S == SPLITS.index(split), rng)
        pairs = zip(scenes_N.tolist(), places_N.tolist(), strict=True)
        return [Planned(set_, split, index, scene, place) for index, (scene, place) in enumerate(pairs)]

    yield from before("train", "train", training_kinds(labels["train"], num_kinds, agreement, seed))
    for split in SPLITS[1:]:
        for kind in range(num_kinds):
            yield from before(split, split, np.full_like(labels[split], kind))
    own_N = own_kinds(labels["test"], num_kinds)
    same = before("mixed_same", "test", own_N)
    yield from same
    yield from (image._replace(set="no_fg", look="no_fg") for image in same)
    yield from (image._replace(set="only_bg", look="only_bg") for image in same)
    yield from before("mixed_next", "test", (own_N + 1) % num_kinds)
    random_N = np.random.default_rng([seed, _RANDOM_KINDS]).integers(num_kinds, size=len(own_N))
    yield from before("mixed_rand", "test", random_N)
    yield from (image._replace(set="only_fg", look="only_fg", scene=None) for image in same)
    yield from (image._replace(set="clean", look="clean", scene=None) for image in same)
