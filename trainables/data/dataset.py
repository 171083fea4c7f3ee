"""What every data set is: a map-style torch data set whose item is a whole batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from trainables.config import DataConfig
from trainables.data.batch import Batch

NO_CLASS = -1
"""The label of an image that belongs to no class of the training set."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One image to fetch: its index, and the seed that decides its augmentation."""

    index: int
    seed: int
    view: int = 0
    """How many times the batch drew the same image before."""


class ImageSet(Protocol):
    """Labelled images with background maps, fetched a batch at a time."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by label."""

    @property
    def num_skipped(self) -> int:
        """Images skipped so far because they are missing or corrupt."""

    def __len__(self) -> int: ...

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Return the images of `draws` in their order, without those that are skipped."""

    def digest(self) -> str:
        """Return 16 hex digits of a SHA-256 that identifies content and labels."""


@runtime_checkable
class Labelled(Protocol):
    """An image set whose images have a label each, known without reading them; a training set is one."""

    @property
    def labels_N(self) -> Tensor:  # noqa: N802
        """Each index's label, int64."""


@runtime_checkable
class Grouped(Protocol):
    """An image set whose images may belong to groups, each a class with a kind of background."""

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names by group number, the same in all sets of an experiment."""

    @property
    def group_uncommon(self) -> tuple[tuple[str, ...], ...]:
        """By group, what is uncommon in it for its class, such as the background; empty where that is not known."""

    def groups(self) -> Tensor | None:
        """Return each index's group, int64; None where this set's images have none."""


@runtime_checkable
class Masked(Protocol):
    """An image set that knows which of its images have a mask without reading them; a training set is one."""

    @property
    def is_masked_N(self) -> Tensor:  # noqa: N802
        """Whether each index has a mask or boxes, bool."""


@runtime_checkable
class Sourced(Protocol):
    """An image set whose images may come from sources, such as patients."""

    def sources(self) -> Tensor | None:
        """Return each index's source, int64; None where each image is its own."""

    def sources_by_id(self) -> Mapping[str, int]:
        """Return the source of each image by its id, those of a larger set too; empty where each image is its own."""


def sources_of(images: ImageSet) -> Mapping[str, int]:
    """Return the source of each image by its id, such as a patient; empty where each image is its own."""
    return images.sources_by_id() if isinstance(images, Sourced) else {}


@dataclass(frozen=True)
class DataBundle:
    """The data sets of one experiment; all carry the labels of the training set."""

    train: ImageSet
    val: ImageSet
    """The images by which trials and epochs are chosen."""
    test: ImageSet
    """The images that are reported, and by which nothing is chosen; the same set as `val` with `held_out` alone."""
    train_unaugmented: ImageSet
    """The training images as validation sees them, without augmentation."""
    class_names: tuple[str, ...]
    shift: Mapping[str, ImageSet] = field(default_factory=dict)
    """Shifted test sets by name."""
    val_shift: Mapping[str, ImageSet] = field(default_factory=dict)
    """Shifted validation sets by name."""
    train_times_N: npt.NDArray[np.int64] | None = None
    """How many times an epoch shows each training image; None shows each once."""
    fit: ImageSet | None = None
    """Validation images to which a last layer is fitted, and which therefore choose nothing; None where all choose."""
    several_labels: bool = False
    """Whether images may show several classes, so that their batches have targets."""
    config: DataConfig | None = None
    """The config of the sets; None where they were made without one."""

    def named(self) -> dict[str, ImageSet]:
        """Return the sets by name, each once; the training images each once, as validation sees them."""
        test = {} if self.test is self.val else {"test": self.test}
        shift = {f"shift.{name}": images for name, images in self.shift.items()}
        val_shift = {f"val_shift.{name}": images for name, images in self.val_shift.items()}
        return {"train": self.train_unaugmented, "val": self.val, **test, **shift, **val_shift}
