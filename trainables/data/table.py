"""A table of images as data set: a row for each image, in CSV or Parquet.

Shape letter: N rows.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainables.config import BoxMasks, ConfigError, DataConfig, EqualMasks, FileMasks, Table
from trainables.data.box_column import box_column
from trainables.data.dataset import NO_CLASS, DataBundle
from trainables.data.folders import MISSING, Folders, first_few
from trainables.data.group_values import group_values, uncommon_values
from trainables.data.image_file import joined_stem
from trainables.data.image_files import image_bundle
from trainables.data.image_list import ImageList
from trainables.data.image_table import FileSizes, Floats, ImageTable, Ints
from trainables.data.masks.mask_format import MaskFormat
from trainables.data.masks.names import MaskNames
from trainables.data.masks.rules import mask_format
from trainables.data.table_columns import Values, column_values, read_table, split_rows
from trainables.data.table_file import TableFile
from trainables.data.validation_cut import cut_off, together

_WHOLE_NUMBER = r"^-?\d{1,9}$"
_HIDES_A_DIFFERENCE = r"__|_/|/_|//|(^|/)\."
"""In a path: what looks like the joint of a stem, an empty name, and one that begins with a dot, such as `.` itself."""
_NOT_NEGATIVE = r"^\+?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?$"


_REMEDY = "set data.root and data.images so that paths lead to files"


def build_table(config: Table) -> DataBundle:
    """Read the table; classes are the values of its column of labels."""
    return table_bundle(config, read_table(config), config, Folders())


def table_bundle(
    config: DataConfig,
    table: TableFile,
    meaning: Table,
    folders: Folders,
    *,
    shift: Sequence[str] = (),
    remedy: str = _REMEDY,
    format_: MaskFormat | None = None,
    more_masks: Sequence[tuple[str, ...]] = (),
) -> DataBundle:
    """Return the images of a table; ConfigError where its rows do not fit each other or the files.

    Args:
        config: Image size, augmentation, cache.
        table: The columns that `meaning` names.
        meaning: Says what they mean; `config` itself, where that is a table's.
        folders: Lists folders, each once.
        shift: Values of the column of splits that are shifted test sets of these names.
        remedy: What to do where a file is missing.
        format_: Reads the masks in place of what `meaning.masks` says.
        more_masks: For each row the further files of its mask, below the root.
    """
    rows, labels = split_rows(table, meaning, shift), column_values(table.columns[meaning.columns.label])
    _check_classes(table, meaning, labels, rows["train"])
    images = replace(_image_table(table, meaning, labels, folders, rows["train"]), more_masks=more_masks)
    sizes = FileSizes(images.root, folders)
    _check_files(table, meaning, images, sizes, remedy)
    if not len(rows["val"]) and meaning.validation.source == "cut":
        rows |= _cut(table, meaning, labels, rows["train"], images)
    lists = {name: images.images(rows_N, sizes) for name, rows_N in rows.items() if len(rows_N)}
    return image_bundle(
        config,
        train=lists["train"],
        val=lists.get("val"),
        test=lists["test"],
        shift={name: lists[name] for name in shift if name in lists},
        class_names=labels.names,
        mask_format=format_ or mask_format(meaning.masks),
    )


def table_images(
    table: TableFile, meaning: Table, split: str, labels_of: Callable[[Sequence[str]], Mapping[str, int]], setting: str
) -> ImageList:
    """Return the images of one value of the column of splits, without groups.

    Args:
        table: The columns that `meaning` names.
        meaning: Says what they mean.
        split: The value.
        labels_of: From the names of their classes to labels; ConfigError where it does not know one.
        setting: The section that names the table, for messages.

    Raises:
        ConfigError: No row has the value, or a file is missing.
    """
    rows_N = np.flatnonzero(pc.equal(table.columns[meaning.columns.split], split).to_numpy(zero_copy_only=False))
    if not len(rows_N):
        raise ConfigError(f"{table.path}, column {meaning.columns.split}: no row has {setting}.split = {split}")
    values, folders = column_values(table.columns[meaning.columns.label]), Folders()
    names = [values.names[code] for code in np.unique(values.codes_N[rows_N])]
    label_of = labels_of(names)
    labels_K = np.array([label_of.get(name, NO_CLASS) for name in values.names])
    images = replace(_image_table(table, meaning, values, folders, rows_N), labels_N=labels_K[values.codes_N])
    sizes = FileSizes(images.root, folders)
    _check_files(
        table, meaning, images, sizes, f"set {setting}.root and {setting}.images so that paths lead to files", setting
    )
    return images.images(rows_N, sizes)


def _cut(table: TableFile, config: Table, labels: Values, train_N: Ints, images: ImageTable) -> dict[str, Ints]:
    """Cut the validation images from the training images, of each class, group and presence of a mask its share.

    Of images with sources, it is a share of the sources.
    """
    groups_N = np.zeros_like(images.labels_N) if images.groups_N is None else images.groups_N
    strata_NC = np.stack([images.labels_N, groups_N, images.have_masks()], axis=1)[train_N]
    strata_N = np.unique(strata_NC, axis=0, return_inverse=True)[1].reshape(-1)
    sources_N = None if images.sources_N is None else images.sources_N[train_N]
    cut = partial(
        cut_off, validation=config.validation, of="images" if sources_N is None else "sources (data.columns.source)"
    )
    is_cut_N = together(cut, strata_N, sources_N)
    _check_classes(table, config, labels, train_N[~is_cut_N], is_cut=True)
    return {"train": train_N[~is_cut_N], "val": train_N[is_cut_N]}


def _check_classes(table: TableFile, config: Table, labels: Values, train_N: Ints, *, is_cut: bool = False) -> None:
    untrained = sorted(set(range(len(labels.names))) - set(labels.codes_N[train_N].tolist()))
    if untrained:
        names = first_few([labels.names[code] for code in untrained])
        why = (
            "has no row left to train on, since all its sources validate; set another data.validation.seed"
            if is_cut
            else f"has no row of the split {config.splits.train}; add training images, or leave its rows out"
        )
        raise ConfigError(f"{table.path}, column {config.columns.label}: {names} {why}")


def _image_table(table: TableFile, config: Table, labels: Values, folders: Folders, train_N: Ints) -> ImageTable:
    paths, groups = table.columns[config.columns.path], group_values(table, config.groups)
    return ImageTable(
        root=Path(config.root),
        folder=PurePosixPath(config.images or ""),
        paths=paths,
        labels_N=labels.codes_N,
        groups_N=groups.codes_N if groups else None,
        group_names=groups.names if groups else (),
        group_uncommon=uncommon_values(groups, labels.codes_N, train_N) if groups else (),
        masks=_masks(table, config, paths, folders),
        mask_values_N=_mask_values(table, config),
        boxes=box_column(table, config.columns.boxes) if isinstance(config.masks, BoxMasks) else None,
        weights_N=_weights(table, config.columns.weight),
        sources_N=_sources(table, config.columns.source),
        shared_stems=shared_stems(paths),
    )


def _sources(table: TableFile, column: str | None) -> Ints | None:
    return None if column is None else column_values(table.columns[column]).codes_N


def shared_stems(paths: Any) -> frozenset[str]:
    """Return the joined stems that several of the paths have, which `image_id` tells apart."""
    ending = PurePosixPath(paths[0].as_py()).suffix
    # Paths of one ending that differ have stems that differ, unless a name could hide that. A stem takes microseconds.
    if (
        ending
        and len(pc.unique(paths)) == len(paths)
        and pc.all(pc.ends_with(paths, ending)).as_py()
        and not pc.any(pc.match_substring_regex(paths, _HIDES_A_DIFFERENCE)).as_py()
    ):
        return frozenset()
    stems = Counter(joined_stem(PurePosixPath(path)) for path in paths.to_pylist())
    return frozenset(stem for stem, num in stems.items() if num > 1)


def _masks(table: TableFile, config: Table, paths: Any, folders: Folders) -> Any | None:
    """Return each row's mask below the root, null where it has none; None where masks are no files."""
    if config.masks is None or isinstance(config.masks, BoxMasks):
        return None
    if config.masks.by_name:
        return _named_masks(table, config, config.masks, paths, folders)
    return table.columns[config.columns.mask]


def _named_masks(table: TableFile, config: Table, masks: FileMasks, paths: Any, folders: Folders) -> Any:
    """Return the masks that have the names of their images.

    In a parallel folder they may lack the first folder of the images' paths, as `images` in `images/1.jpg`.
    """
    root = Path(config.root)
    names = MaskNames(root, root / (config.images or ""), masks, folders)
    images = [PurePosixPath(path) for path in paths.to_pylist()]
    for start in (0, 1) if masks.folder else (0,):
        shorter = [PurePosixPath(*image.parts[min(start, len(image.parts) - 1) :]) for image in images]
        found = [names.path(image) for image in shorter]
        if any(found):
            return pa.array([mask and mask.relative_to(root).as_posix() for mask in found], pa.string())
    raise ConfigError(
        f"data.masks: none of the {len(images)} images of {table.path} has a mask; looked for "
        f"{names.wanted(images[0])}{f' and {names.wanted(shorter[0])}' if masks.folder else ''} and the like"
    )


def _mask_values(table: TableFile, config: Table) -> Ints | None:
    """Return the value of each mask's object; None where the rule needs none."""
    if not isinstance(config.masks, EqualMasks):
        return None
    if isinstance(config.masks.value, int):
        return np.full(len(table), config.masks.value, dtype=np.int64)
    name = config.columns.label if config.masks.value == "label" else config.columns.mask_value
    is_number_N = pc.match_substring_regex(table.columns[name], _WHOLE_NUMBER)
    table.refuse(name, pc.invert(is_number_N), lambda cell: f"found {cell}; expected the value of the object's pixels")
    numbers: Ints = table.columns[name].cast(pa.int64()).to_numpy()
    return numbers


def _weights(table: TableFile, name: str | None) -> Floats | None:
    """Return how much each image's loss counts, 1 where the cell is empty; None where images have no weights."""
    if name is None:
        return None
    texts_N = table.columns[name]
    wrong_N = pc.invert(pc.match_substring_regex(texts_N, _NOT_NEGATIVE))
    table.refuse(name, pc.fill_null(wrong_N, False), lambda cell: f"found {cell}; expected a number of 0 or more")
    weights_N: Floats = pc.fill_null(texts_N.cast(pa.float64()), 1).to_numpy(zero_copy_only=False)
    return weights_N


def _check_files(
    table: TableFile, config: Table, images: ImageTable, sizes: FileSizes, remedy: str, setting: str = "data"
) -> None:
    """Raise ConfigError where the table names an image or a mask that is not there, unless those are skipped."""
    if config.on_error == "skip":
        return
    names = [images.image_name(row) for row in range(len(images))]
    masks = [images.mask_names(row) for row in range(len(images))]
    sizes.read({name.rpartition("/")[0] for name in chain(names, *masks)})
    for column, files in ((config.columns.path, [[name] for name in names]), (config.columns.mask, masks)):
        gone = [(row, name) for row, of_row in enumerate(files) for name in of_row if sizes.of(name) == MISSING]
        if gone:
            row, name = gone[0]
            num = len({row for row, _ in gone})
            raise ConfigError(
                f"{table.where(row, column)}: {Path(config.root, name)} is not there ({num} of {len(files)} rows); "
                f"{remedy}, or set {setting}.on_error=skip to go on without them"
            )
