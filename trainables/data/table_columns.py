"""What the columns of a table of images say: which rows are of which split, and the values of labels.

Shape letter: N rows.
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainables.config import BoxMasks, ConfigError, EqualMasks, Table, Validation
from trainables.data.folders import first_few
from trainables.data.image_table import Ints
from trainables.data.table_file import TableFile, read_table_file

SPLITS = ("train", "val", "test")
_NUMBER = r"-?\d+"


class Values(NamedTuple):
    """A column as numbers."""

    names: tuple[str, ...]
    """The values that occur, in order: by number where all are whole numbers, else by name."""
    codes_N: Ints
    """Each row's place among them."""


def read_table(config: Table, setting: str = "data") -> TableFile:
    """Read the columns that `config` needs; ConfigError where one is missing or a cell is wrong.

    Args:
        config: Says what they mean.
        setting: The section that says so, for messages.
    """
    path, required = Path(config.root, config.table), _required(config, setting)
    refused = {name: why for name, why in _refused(config, setting).items() if name not in required}
    table = read_table_file(path, required=required, refused=refused, setting=f"{setting}.table")
    check_cells(table, config)
    return table


def check_cells(table: TableFile, config: Table) -> None:
    """Raise ConfigError where a row lacks a value, an image has two rows, or a path does not lead into its folder."""
    columns = config.columns
    filled = [columns.path, columns.label, columns.split, *config.groups]
    filled += [columns.source] if columns.source is not None else []
    filled += [columns.mask_value] if columns.mask_value in table.columns else []
    for name in filled:
        table.refuse(name, pc.is_null(table.columns[name]), lambda _: "is empty; every row needs a value")
    _check_paths(table, columns.path, Path(config.root, config.images or ""))
    if columns.mask in table.columns:
        _check_form(table, columns.mask, Path(config.root))


def _required(config: Table, setting: str) -> dict[str, str]:
    """Return the columns to read, each with the setting that names it."""
    columns, masks = config.columns, config.masks
    fields = ["path", "label", "split"]
    if isinstance(masks, BoxMasks):
        fields.append("boxes")
    elif masks is not None and not masks.by_name:
        fields.append("mask")
    if isinstance(masks, EqualMasks) and masks.value is None:
        fields.append("mask_value")
    fields += [field for field in ("weight", "source") if getattr(columns, field) is not None]
    named = {getattr(columns, field): f"{setting}.columns.{field}" for field in fields}
    return {**dict.fromkeys(config.groups, f"{setting}.groups"), **named}


def _refused(config: Table, setting: str) -> dict[str, str]:
    """Return the columns that would be left out unnoticed, each with what to do."""
    refused = {"weight": f"set {setting}.columns.weight=weight to weigh the loss of images by it, or rename it"}
    if config.masks is None:
        for name in (config.columns.mask, config.columns.boxes):
            kind = "boxes" if name == config.columns.boxes else "nonzero, or another rule"
            refused[name] = f"{setting}.masks = null leaves it out: set {setting}.masks.kind={kind}, or rename it"
    return refused


def _check_paths(table: TableFile, name: str, folder: Path) -> None:
    _check_form(table, name, folder)
    paths_N = table.columns[name]
    first: Any = np.unique(pc.dictionary_encode(paths_N).indices.to_numpy(), return_index=True)[1]
    is_again_N = np.ones(len(table), dtype=np.bool_)
    is_again_N[first] = False

    def what(cell: str | None) -> str:
        earlier = pc.index(paths_N, cell).as_py()
        where = "there twice" if table.first_row is None else f"already in row {earlier + table.first_row}"
        return f"{cell} is {where}; an image has one row"

    table.refuse(name, pa.array(is_again_N), what)


def _check_form(table: TableFile, name: str, folder: Path) -> None:
    """Raise ConfigError where a path does not lead from the folder to something in it."""
    paths_N = table.columns[name]
    below = f"expected a path below {folder}"
    windows_N = pc.match_substring(paths_N, "\\")
    table.refuse(name, pc.fill_null(windows_N, False), lambda cell: f"found {cell}; write / in place of \\")
    outside_N = pc.match_substring_regex(paths_N, r"^(/|~)|(^|/)\.\.(/|$)")
    table.refuse(name, pc.fill_null(outside_N, False), lambda cell: f"found {cell}; {below}")
    unusual_N = pc.match_substring_regex(paths_N, r"(^|/)\.?/|/$")
    table.refuse(
        name, pc.fill_null(unusual_N, False), lambda cell: f"found {cell}; {below} without ./, // or a / at its end"
    )


def split_rows(table: TableFile, config: Table, shift: Sequence[str] = ()) -> dict[str, Ints]:
    """Return the rows of each split; ConfigError for a value that names none, and without rows to train or test on.

    Args:
        shift: Names of shifted test sets, which are splits too.
    """
    name, splits = config.columns.split, config.splits
    by_value = {splits.train: "train", splits.val: "val", splits.test: "test", **dict(zip(shift, shift, strict=True))}
    if splits.val == "val":
        by_value.setdefault("validation", "val")
    expected = f"expected {', '.join(by_value)}, which data.splits sets"
    places_N = pc.index_in(table.columns[name], value_set=pa.array(by_value))
    table.refuse(name, pc.is_null(places_N), lambda cell: f"found {cell}; {expected}")
    names = (*SPLITS, *shift)
    split_of = np.array([names.index(split) for split in by_value.values()])[places_N.to_numpy()]
    rows = {split: np.flatnonzero(split_of == place) for place, split in enumerate(names)}
    _check_splits(table, config, rows)
    _check_sources(table, config, {split: rows[split] for split in SPLITS})
    return rows


def _check_sources(table: TableFile, config: Table, rows: dict[str, Ints]) -> None:
    """Raise ConfigError where a source has rows of two splits."""
    name = config.columns.source
    if name is None:
        return
    sources = column_values(table.columns[name])
    for one, other in combinations(rows, 2):
        shared = np.intersect1d(sources.codes_N[rows[one]], sources.codes_N[rows[other]])
        if len(shared):
            raise ConfigError(
                f"{table.path}, column {name}: {first_few([sources.names[code] for code in shared.tolist()])} has rows "
                f"of both {one} and {other} ({len(shared)} of {len(sources.names)} do); give all of one to one split"
            )


def _check_splits(table: TableFile, config: Table, rows: dict[str, Ints]) -> None:
    """Raise ConfigError where a split that is needed has no rows, or one that has rows is not wanted."""
    needed = {"train": "to train on", "test": "to report; a part of the training images is cut for validation"}
    if config.validation.source == "own":
        needed["val"] = "to choose by, as data.validation.source = own says"
    for split, why in needed.items():
        if not len(rows[split]):
            value = getattr(config.splits, split)
            raise ConfigError(f"{table.path}, column {config.columns.split}: no row has {value}; expected some {why}")
    cut = config.validation.model_copy(update={"source": "cut"})
    if len(rows["val"]) and (config.validation.source == "held_out" or cut != Validation()):
        raise ConfigError(
            f"data.validation has no effect, since {table.path} has rows of the split {config.splits.val}; leave "
            "data.validation out, or the rows"
        )


def column_values(column_N: Any) -> Values:
    """Return the values of a column in NFC, one of the two forms in which Unicode can write the same letter."""
    encoded = pc.dictionary_encode(column_N)
    # Not by pyarrow's utf8_normalize, which decomposes for NFC too.
    found = [unicodedata.normalize("NFC", value) for value in encoded.dictionary.to_pylist()]
    are_numbers = all(re.fullmatch(_NUMBER, value) for value in found)
    names = sorted(set(found), key=lambda value: (int(value), value) if are_numbers else (0, value))
    place = {name: code for code, name in enumerate(names)}
    codes = np.array([place[name] for name in found], dtype=np.int64)
    return Values(tuple(names), codes[encoded.indices.to_numpy()])
