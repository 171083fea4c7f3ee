"""What every data set is: a map-style torch data set whose item is a whole batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from trainables.data.batch import Batch


@dataclass(frozen=True, slots=True)
class Draw:
    """One picture to fetch: its index, and the seed that decides its augmentation."""

    index: int
    seed: int


class PictureSet(Protocol):
    """Labelled pictures with background maps, fetched a batch at a time."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by label."""

    @property
    def num_skipped(self) -> int:
        """Pictures found missing or corrupt and skipped so far."""

    def __len__(self) -> int: ...

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Return the pictures of `draws` in their order, less those that are skipped."""

    def digest(self) -> str:
        """Return 16 hex digits of the SHA-256 of what identifies content and labels."""


@dataclass(frozen=True)
class DataBundle:
    """The data sets of one experiment; all carry the labels of the training set."""

    train: PictureSet
    val: PictureSet
    class_names: tuple[str, ...]
    shift: Mapping[str, PictureSet] = field(default_factory=dict)
    """Shifted test sets by name."""
