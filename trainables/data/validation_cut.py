"""The validation set of data that have none: a part of the training images, of each class alike.

Shape letters: N images, S sources, P pairs of a source and one of its strata.
"""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt

from trainables.config import ConfigError, Validation
from trainables.data.file_index import NO_MASK, FileSet
from trainables.data.image_file import ImageFile, short_hash
from trainables.data.image_list import ImageList

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_NO_LABEL = -1


def cut(strata_N: Ints, *, share: float, seed: int) -> Mask:
    """Return which images are cut off: of each stratum the share, rounded up or down, chosen at random.

    A stratum keeps at least one image, so that one of a single image is never cut.

    Args:
        strata_N: A number for each image's class, or class and group.
        share: At most 0.5.
        seed: Seed of the choice.

    Raises:
        ValueError: Every stratum has one image alone.
    """
    rng = np.random.default_rng(seed)
    shuffled_N = rng.permutation(len(strata_N))
    by_stratum_N = shuffled_N[np.argsort(strata_N[shuffled_N], kind="stable")]
    _, inverse_N, counts = np.unique(strata_N, return_inverse=True, return_counts=True)
    order = by_stratum_N[counts[inverse_N[by_stratum_N]] > 1]
    if not len(order):
        raise ValueError("every stratum has one image alone")
    num = max(1, int(share * len(order)))
    steps = ((np.arange(num) + rng.random()) * (len(order) / num)).astype(np.int64)  # 2 or more apart
    is_cut_N = np.zeros(len(strata_N), dtype=np.bool_)
    is_cut_N[order[steps]] = True
    return is_cut_N


def half_of(strata_N: Ints, *, seed: int) -> Mask:
    """Return which images make one half: of each stratum a half, rounded down, chosen at random."""
    shuffled_N = np.random.default_rng(seed).permutation(len(strata_N))
    by_stratum_N = shuffled_N[np.argsort(strata_N[shuffled_N], kind="stable")]
    _, starts, counts = np.unique(strata_N[by_stratum_N], return_index=True, return_counts=True)
    is_in_N = np.zeros(len(strata_N), dtype=np.bool_)
    for start, count in zip(starts, counts, strict=True):
        is_in_N[by_stratum_N[start : start + count // 2]] = True
    return is_in_N


def together(choose: Callable[[Ints], Mask], strata_N: Ints, sources_N: Ints | None) -> Mask:
    """Return what `choose` says of each image; with sources, what it says of its source.

    Args:
        choose: From the strata of images to those that are chosen.
        strata_N: A number for each image's class, or class and group. A source has that of its images which the fewest
            sources have, so that a rare class has its share too; of equal ones the lowest.
        sources_N: A number for what each image shows or was made of; None takes each image for itself.
    """
    if sources_N is None:
        return choose(strata_N)
    source_N = np.unique(sources_N, return_inverse=True)[1].reshape(-1)
    names, stratum_N = np.unique(strata_N, return_inverse=True)
    # Each source with each of its strata, once.
    source_P, stratum_P = np.unique(np.stack([source_N, stratum_N.reshape(-1)]), axis=1)
    num_sources = np.bincount(stratum_P)
    rarest_first = np.lexsort([stratum_P, num_sources[stratum_P], source_P])
    _, first_S = np.unique(source_P[rarest_first], return_index=True)
    return choose(names[stratum_P[rarest_first[first_S]]])[source_N]


def cut_images(
    images: ImageList, validation: Validation, *, strata_N: Ints | None = None
) -> tuple[ImageList, ImageList]:
    """Return the images that are left to train on, and those to validate on; both keep the order.

    Args:
        images: The training images.
        validation: Share and seed.
        strata_N: Numbers of which each has its share; left out, the classes, with and without masks.
    """
    if strata_N is None:
        strata_N = np.array([_stratum(image_file) for image_file in images.files], dtype=np.int64)
    is_cut_N = cut_off(strata_N, validation)
    train, val = (
        [image_file for image_file, chosen in zip(images.files, is_cut_N, strict=True) if chosen == is_val]
        for is_val in (False, True)
    )
    return replace(images, files=train, digest=None), ImageList(val, images.root)


def split_files(files: FileSet, validation: Validation) -> tuple[FileSet, FileSet | None]:
    """Return the files to train on and those to validate on, of each class with and without masks its share.

    The second are None where none are cut.
    """
    if validation.source != "cut":
        return files, None
    is_cut_N = cut_off(2 * files.labels_N.astype(np.int64) + (files.mask_sizes_N != NO_MASK), validation)
    return part_of(files, ~is_cut_N, f"train {validation}"), part_of(files, is_cut_N, f"val {validation}")


def cut_off(strata_N: Ints, validation: Validation, *, of: str = "images") -> Mask:
    """Return which images are cut off; ConfigError where every stratum has one image alone.

    Args:
        strata_N: A number for each image's class, or what else is to be cut alike.
        validation: Share and seed.
        of: What is cut, for the message.
    """
    try:
        return cut(strata_N, share=validation.share, seed=validation.seed)
    except ValueError as error:
        raise ConfigError(
            f"data.validation.source = cut takes {validation.share:g} of each class's training {of}, and none has two; "
            f"add {of}, or give a validation set"
        ) from error


def _stratum(image_file: ImageFile) -> int:
    label = _NO_LABEL if image_file.label is None else image_file.label
    return 2 * label + (image_file.mask_path is not None)


def part_of(files: FileSet, is_in_N: Mask, name: str) -> FileSet:
    """Return some of the files; the digest follows from that of all, which takes long to compute."""
    arrays = {field.name: getattr(files, field.name)[is_in_N] for field in fields(files) if field.name.endswith("_N")}
    return replace(files, **arrays, digest=short_hash([files.digest, name]))
