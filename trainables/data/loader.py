"""Batches of a data set, in an order that follows from (seed, epoch) alone.

Shape letters: B batch, N samples of a data set.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trainables.data.batch import Batch
from trainables.data.class_weights import weigh
from trainables.data.dataset import Draw, ImageSet
from trainables.data.image_file import ImageError
from trainables.data.sampling import Ints, epoch_order

_GOLDEN = 0x9E3779B97F4A7C15


class Batches(Protocol):
    """Batches to iterate over, and how many there are at most."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


def training_batches(
    dataset: ImageSet,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    start: int = 0,
    num_views: int = 1,
    strata_N: Ints | None = None,
    times_N: Ints | None = None,
    class_weights_K: Tensor | None = None,
    rank: int = 0,
    world_size: int = 1,
    processes: int = 0,
    prefetch: int = 2,
    pin_memory: bool = False,
) -> Batches:
    """Return the share of `rank` in the epoch's batches, shuffled and augmented.

    The global batch b is `order[b * batch_size : (b + 1) * batch_size]`, of which each rank takes its contiguous slice
    of `batch_size / world_size`; batches before `start` and an incomplete last one are dropped. An image's
    augmentation depends only on (seed, epoch, index) and on how often the epoch drew it before, not on rank, batch or
    process. With several views each batch holds all its images once, then all of them again under other seeds.

    Args:
        strata_N, times_N: How often the epoch draws each image (`epoch_order`); with neither, once.
        class_weights_K: How much the loss of an image counts by its class; None where all count alike.
        processes: How many processes decode, each `prefetch` batches ahead; 0 decodes in this process.
        pin_memory: Whether batches are in page-locked memory, from which copies to an accelerator do not block.

    Raises:
        ValueError: the set is smaller than a batch, or `world_size` does not divide `batch_size`.
        ImageError: while iterating, no image of a batch could be read.
    """
    _check_shares(batch_size, len(dataset), rank, world_size)
    order = epoch_order(len(dataset), seed=seed, epoch=epoch, strata_N=strata_N, times_N=times_N)
    share = partial(_share, batch_size=batch_size, start=start, rank=rank, world_size=world_size)
    keys = [_key(seed, epoch, view) for view in range(num_views)]
    draws = _ShuffledDraws(share(order.indices_M), share(order.numbers_M), keys)
    return _Batches(_loader(dataset, draws, processes, prefetch, pin_memory, class_weights_K), drop_empty=False)


def _share(values_M: Ints, *, batch_size: int, start: int, rank: int, world_size: int) -> list[Ints]:
    """Return the slices of `rank` of the batches from `start` on."""
    num_batches = len(values_M) // batch_size
    batches = values_M[: num_batches * batch_size].reshape(num_batches, world_size, batch_size // world_size)
    return list(batches[start:, rank])


def evaluation_batches(
    dataset: ImageSet,
    *,
    batch_size: int,
    indices: Sequence[int] | None = None,
    rank: int = 0,
    world_size: int = 1,
    processes: int = 0,
    prefetch: int = 2,
    pin_memory: bool = False,
) -> Batches:
    """Return the images `rank::world_size` in order, without augmentation; the last batch may be short.

    A batch is left out where none of its images could be read.

    Args:
        indices: The images of which each rank takes its share; all of them by default.
    """
    _check_rank(rank, world_size)
    share = (range(len(dataset)) if indices is None else indices)[rank::world_size]
    draws = [
        [Draw(index, 0) for index in share[start : start + batch_size]] for start in range(0, len(share), batch_size)
    ]
    return _Batches(_loader(dataset, draws, processes, prefetch, pin_memory), drop_empty=True)


def augmentation_seeds(indices: npt.NDArray[np.int64], key: int) -> npt.NDArray[np.uint64]:
    """Return a seed for each index: SplitMix64 (Steele et al., OOPSLA 2014) of the index-th state after `key`."""
    state = np.uint64(key) + (indices.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (state ^ (state >> np.uint64(31))) >> np.uint64(1)  # torch takes seeds below 2^63.


@dataclass(frozen=True)
class _ShuffledDraws:
    """The draws of each batch; seeds are computed when a batch is requested."""

    batches: Sequence[Ints]
    numbers: Sequence[Ints]
    """What seeds follow from: the indices, other numbers for images that the epoch draws again."""
    keys: Sequence[int]
    """One for each view."""

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Draw]]:
        for indices, numbers in zip(self.batches, self.numbers, strict=True):
            yield [
                Draw(int(index), int(seed), view)
                for view, key in enumerate(self.keys)
                for index, seed in zip(indices, augmentation_seeds(numbers, key), strict=True)
            ]


@dataclass(frozen=True)
class _Batches:
    loader: "DataLoader[Batch]"
    drop_empty: bool

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            if len(batch):
                yield batch if self.loader.pin_memory else batch.in_float32()  # Pinned memory is copied as it is.
            elif not self.drop_empty:
                raise ImageError("no image of a training batch could be read; the log names the skipped files")


def _loader(
    dataset: ImageSet,
    draws: Iterable[list[Draw]],
    processes: int,
    prefetch: int,
    pin_memory: bool,
    class_weights_K: Tensor | None = None,
) -> "DataLoader[Batch]":
    return DataLoader(
        cast("Dataset[Batch]", dataset),
        batch_sampler=cast("Iterable[Any]", draws),
        collate_fn=partial(weigh, weights_K=class_weights_K),
        num_workers=processes,
        prefetch_factor=prefetch if processes else None,
        pin_memory=pin_memory,
        worker_init_fn=_keep_inherited_objects,
        generator=torch.Generator(),  # Its own, so that starting an epoch leaves the global generator alone.
    )


def _keep_inherited_objects(_: int) -> None:
    """Take the objects of the training process out of a loader process's garbage collection.

    Finalizers of gRPC's and Ray's objects expect threads that a fork does not copy, and may corrupt the heap.
    """
    gc.freeze()


def _key(seed: int, epoch: int, view: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, view]).generate_state(1, np.uint64)[0])


def _check_rank(rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise ValueError(f"rank = {rank} must be from 0 to world_size - 1 = {world_size - 1}")


def _check_shares(batch_size: int, num_images: int, rank: int, world_size: int) -> None:
    _check_rank(rank, world_size)
    if batch_size % world_size:
        raise ValueError(f"batch_size = {batch_size} is no multiple of world_size = {world_size}")
    if num_images < batch_size:
        raise ValueError(
            f"the training set has {num_images} images, fewer than one batch of {batch_size}; "
            f"lower training.batch_size or add images"
        )
