"""How often an epoch shows each image, in which order, and equally many images of each stratum.

N images of a data set, M draws of an epoch, G strata.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainables.data.dataset import Grouped, ImageSet, Labelled

Ints = npt.NDArray[np.int64]


class EpochOrder(NamedTuple):
    """The images of an epoch in order."""

    indices_M: Ints
    repeats_M: Ints
    """How many times the epoch drew the same image before."""

    @property
    def numbers_M(self) -> Ints:  # noqa: N802
        """Of each draw its own: the index of the image, or for one that was drawn before a number above all indices."""
        return self.indices_M + len(self.indices_M) * self.repeats_M


def epoch_order(
    num: int, *, seed: int, epoch: int, strata_N: Ints | None = None, times_N: Ints | None = None
) -> EpochOrder:
    """Return the draws of an epoch, in an order that follows from (seed, epoch) alone.

    Each image is drawn once, or as often as `times_N` says. With strata there are as many draws as images: each stratum
    is drawn equally often, or once more where their number does not divide that of the images. Within a
    stratum no image is drawn twice more than another.

    Args:
        num: Number of images.
        seed: Seed of the training.
        epoch: Number of the epoch.
        strata_N: The stratum of each image: its class or its group.
        times_N: How many times each image is drawn, in place of strata.
    """
    rng = np.random.default_rng([seed, epoch])
    if times_N is not None:
        assert strata_N is None, "the config refuses both"
        indices_M = np.repeat(np.arange(num), times_N)
        repeats_M = np.arange(len(indices_M)) - np.repeat(np.cumsum(times_N) - times_N, times_N)
        shuffled_M = rng.permutation(len(indices_M))
        return EpochOrder(indices_M[shuffled_M], repeats_M[shuffled_M])
    if strata_N is None:
        return EpochOrder(rng.permutation(num), np.zeros(num, dtype=np.int64))
    _, codes_N, counts_G = np.unique(strata_N, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(codes_N, kind="stable"), np.cumsum(counts_G)[:-1])
    quotas_G = np.full(len(members), num // len(members))
    quotas_G[rng.permutation(len(members))[: num % len(members)]] += 1
    drawn = [_passes(images, int(quota), rng) for images, quota in zip(members, quotas_G, strict=True)]
    shuffled_M = rng.permutation(num)
    return EpochOrder(*(np.concatenate(parts)[shuffled_M] for parts in zip(*drawn, strict=True)))


def _passes(images_N: Ints, num: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return `num` draws of images, which are shuffled anew whenever all have been drawn."""
    places_M = np.arange(num)
    shuffled = [rng.permutation(images_N) for _ in range(-(-num // len(images_N)))]
    return np.concatenate(shuffled)[:num], places_M // len(images_N)


def strata_of(images: ImageSet, sampling: str) -> Ints | None:
    """Return the stratum of each image by `training.sampling`; None for `uniform`."""
    if sampling == "uniform":
        return None
    if sampling == "class_balanced":
        assert isinstance(images, Labelled), "a training set has labels"
        return images.labels_N.numpy()
    assert isinstance(images, Grouped), "the config refuses data without groups"
    groups_N = images.groups()
    assert groups_N is not None, "training images belong to groups where the data have any"
    return groups_N.numpy()


def draw_of_each(strata_N: Tensor, num: int, *, seed: int) -> Tensor:
    """Return the places of `num` images of each stratum, of all where it has less, in ascending order."""
    order_N = torch.randperm(len(strata_N), generator=torch.Generator().manual_seed(seed))
    drawn = [order_N[strata_N[order_N] == stratum][:num] for stratum in set(strata_N.tolist())]
    return torch.cat(drawn).sort().values
