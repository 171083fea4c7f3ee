"""Some images of a data set: equally many of each class to train on, and the validation set in two halves.

Shape letters: N images of the subset, M of the whole set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from trainables.config import ConfigError
from trainables.data.batch import Batch
from trainables.data.dataset import DataBundle, Draw, Grouped, ImageSet, Labelled, Masked, Sourced, sources_of
from trainables.data.folders import first_few
from trainables.data.image_file import short_hash
from trainables.data.sampling import draw_of_each
from trainables.data.validation_cut import half_of, together

_SEED = 0
"""Of the halves; apart from the training seed, so that seeds share their validation set."""


@dataclass(frozen=True, eq=False)
class ImageView:
    """An `ImageSet` made of another; what a subclass does not change is that of `whole`, its groups too."""

    whole: ImageSet

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.whole.class_names

    @property
    def num_skipped(self) -> int:
        """Images of the whole set that were skipped."""
        return self.whole.num_skipped

    @property
    def labels_N(self) -> Tensor:  # noqa: N802
        """Each index's label, int64."""
        assert isinstance(self.whole, Labelled), "images of one label each are listed with it"
        return self.whole.labels_N

    @property
    def is_masked_N(self) -> Tensor:  # noqa: N802
        """Whether each index has a mask, bool."""
        assert isinstance(self.whole, Masked), "a training set lists which images have masks"
        return self.whole.is_masked_N

    @property
    def group_names(self) -> tuple[str, ...]:
        return self.whole.group_names if isinstance(self.whole, Grouped) else ()

    @property
    def group_uncommon(self) -> tuple[tuple[str, ...], ...]:
        return self.whole.group_uncommon if isinstance(self.whole, Grouped) else ()

    def groups(self) -> Tensor | None:
        """Return each index's group, int64; None where images have none."""
        return self.whole.groups() if isinstance(self.whole, Grouped) else None

    def sources(self) -> Tensor | None:
        """Return each index's source, int64; None where each image is its own."""
        return self.whole.sources() if isinstance(self.whole, Sourced) else None

    def sources_by_id(self) -> Mapping[str, int]:
        """Return the source of each image of the whole set by its id; empty where each image is its own."""
        return sources_of(self.whole)

    def __len__(self) -> int:
        return len(self.whole)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Return the images of `draws`, without those that are skipped."""
        return self.whole.__getitems__(draws)

    def digest(self) -> str:
        return self.whole.digest()


@dataclass(frozen=True, eq=False)
class ImageSubset(ImageView):
    """Some images of another set."""

    indices_N: Tensor
    """The places of its images in the whole set, int64 in ascending order."""

    @property
    def labels_N(self) -> Tensor:  # noqa: N802
        return super().labels_N[self.indices_N]

    @property
    def is_masked_N(self) -> Tensor:  # noqa: N802
        return super().is_masked_N[self.indices_N]

    def groups(self) -> Tensor | None:
        groups_M = super().groups()
        return None if groups_M is None else groups_M[self.indices_N]

    def sources(self) -> Tensor | None:
        sources_M = super().sources()
        return None if sources_M is None else sources_M[self.indices_N]

    def __len__(self) -> int:
        return len(self.indices_N)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        batch = super().__getitems__([replace(draw, index=int(self.indices_N[draw.index])) for draw in draws])
        assert batch.indices_B is not None, "images of a set know their places"
        return replace(batch, indices_B=torch.searchsorted(self.indices_N, batch.indices_B))

    def digest(self) -> str:
        """Hash the whole set's digest and the places."""
        return short_hash([super().digest(), str(self.indices_N.tolist())])


def halve_validation(data: DataBundle) -> DataBundle:
    """Return the data with the validation images in two halves, of which one is to be fitted to and one validates.

    Of each class and group, half of the images, rounded down, are for the fit. Of images with sources, it is half of
    the sources, each counted to its rarest class and group.
    """
    sources_N = data.val.sources() if isinstance(data.val, Sourced) else None
    is_fit_N = torch.from_numpy(
        together(
            partial(half_of, seed=_SEED),
            class_and_group(data.val).numpy(),
            None if sources_N is None else sources_N.numpy(),
        )
    )
    fit, val = (ImageSubset(data.val, which_N.nonzero().squeeze(1)) for which_N in (is_fit_N, ~is_fit_N))
    return replace(data, fit=fit, val=val)


def with_images_per_class(data: DataBundle, num: int, *, seed: int) -> DataBundle:
    """Return the data with `num` training images of each class; fewer are a part of more.

    Raises:
        ConfigError: A class has fewer, images have several labels, or an epoch shows some of them several times.
    """
    setting, labelled = f"data.images_per_class = {num}", data.train_unaugmented
    if data.several_labels or len(data.train) != len(labelled):
        why = "images have several labels" if data.several_labels else "data.oversample_masked shows some several times"
        raise ConfigError(f"{setting} counts images of one label, each shown once, but {why}; set it to null")
    assert isinstance(labelled, Labelled), "images of one label each are listed with it"
    counts = torch.bincount(labelled.labels_N, minlength=len(data.class_names)).tolist()
    few = [f"{name} has {count}" for name, count in zip(data.class_names, counts, strict=True) if 0 < count < num]
    if few:
        raise ConfigError(f"{setting} is more than some classes have training images: {first_few(few)}; lower it")
    places_N = draw_of_each(labelled.labels_N, num, seed=seed)
    return replace(data, train=ImageSubset(data.train, places_N), train_unaugmented=ImageSubset(labelled, places_N))


def class_and_group(images: ImageSet) -> Tensor:
    """Return a number for the class and the group of each image, int64: `label * number of groups + group`."""
    assert isinstance(images, Labelled), "images of one label each are listed with it"
    groups_N = images.groups() if isinstance(images, Grouped) else None
    if groups_N is None or not isinstance(images, Grouped):
        return images.labels_N
    return images.labels_N * len(images.group_names) + groups_N
