"""The images to which a last layer is fitted anew.

N images, B batch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from torch import Tensor

from trainables.classifiers import check_balance, subset_size
from trainables.config import Dfr, ExperimentConfig
from trainables.data import (
    Batch,
    DataBundle,
    Grouped,
    ImageSet,
    ImageSubset,
    Labelled,
    Masked,
    class_and_group,
    draw_of_each,
)
from trainables.data.backgrounds import blend
from trainables.training.new_backgrounds import FILLS

IMAGES = {
    "validation": "a half of the validation images",
    "training": "training images",
    "object_only": "training images with a grey background",
}
"""By `objective.dfr.fit_on`, in words."""
_REMEDIES = {
    "validation": "add such images to the validation set, of other data.columns.source where it has sources, or raise "
    "data.validation.share where it is cut",
    "training": "add such images to the training set, or set objective.dfr.fit_on to validation",
    "object_only": "add masks, raise data.mask_subset.share where it is set, or set objective.dfr to null",
}


def check_last_layer(config: ExperimentConfig, data: DataBundle) -> None:
    """Raise ConfigError where a class or a group has too few images to fit the last layer to."""
    dfr: Dfr | None = getattr(config.objective, "dfr", None)
    if dfr is not None:
        images = images_to_balance(dfr, data)
        strata_N = strata_to_balance(dfr, images)
        check_strata(dfr, images, strata_N if dfr.needs_groups else strata_N[_masked(images).is_masked_N])


def images_to_balance(dfr: Dfr, data: DataBundle) -> ImageSet:
    """Return the images of which balanced subsets are taken."""
    if dfr.fit_on != "validation":
        return data.train_unaugmented
    assert data.fit is not None, "build_trial_data sets a half of the validation images aside"
    return data.fit


def strata_to_balance(dfr: Dfr, images: ImageSet) -> Tensor:
    """Return a number for what each image has as many of as every other: its class, and its group where given.

    int64, of shape N.
    """
    if dfr.needs_groups:
        return class_and_group(images)
    assert isinstance(images, Labelled), "training images of one label have it listed"
    return images.labels_N


def places_to_read(dfr: Dfr, images: ImageSet, seed: int) -> list[int]:
    """Return the places of the images that subsets are drawn from, no more of each stratum than all subsets may take.

    Of `object_only` these are all with masks: which of them show an object is known once they are read.
    """
    if not dfr.needs_groups:
        return _masked(images).is_masked_N.nonzero().flatten().tolist()
    strata_N = strata_to_balance(dfr, images)
    most = dfr.num_subsets * subset_size(strata_N, dfr.images_per_group)
    return draw_of_each(strata_N, max(2, most), seed=seed).tolist()


def _masked(images: ImageSet) -> Masked:
    assert isinstance(images, Masked), "a training set lists which images have masks"
    return images


def check_strata(dfr: Dfr, images: ImageSet, strata_N: Tensor) -> None:
    """Raise ConfigError where images of these strata are too few of any class or group.

    Args:
        images: Those to balance. A class of a group of which halving or skipping left none of them is missed.
        strata_N: Of those that can be read.
    """
    whole = images.whole if isinstance(images, ImageSubset) else images
    check_balance(
        strata_N,
        strata_to_balance(dfr, whole).tolist(),
        images.class_names,
        images.group_names if dfr.needs_groups and isinstance(images, Grouped) else (),
        what=f"objective.dfr.fit_on = {dfr.fit_on} balances {IMAGES[dfr.fit_on]}",
        remedy=_REMEDIES[dfr.fit_on],
    )


def and_on_grey(batches: Iterable[Batch], num_images: int) -> Iterator[Batch]:
    """Yield the images whose masks show an object, and then once more on grey, as places from `num_images` on."""
    for batch in (each.in_float32() for each in batches):  # Those of pinned memory come as bytes.
        with_object_B = batch.has_mask_B.nonzero().squeeze(1)
        if len(with_object_B):
            unchanged = batch.rows(with_object_B)
            assert unchanged.indices_B is not None, "images of a set know their places"
            yield unchanged
            images_BCHW = blend(unchanged.images_BCHW, FILLS["grey"], unchanged.background_BHW)
            yield replace(unchanged, images_BCHW=images_BCHW, indices_B=unchanged.indices_B + num_images)
