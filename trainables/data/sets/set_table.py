"""The table that a published data set is read as, and what its readers share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trainables.config import ConfigError, TableMasks
from trainables.data.masks.mask_format import MaskFormat
from trainables.data.table_file import TableFile, read_table_file


@dataclass(frozen=True, eq=False)
class SetTable:
    """The images of a data set: columns of texts, with a row for each image."""

    source: Path
    """The file or folder that lists them, for messages."""
    columns: Mapping[str, Any]
    """`path` below `folder`, `label`, `split` (train, val, test, or one of `shift`), `mask` below `data.root` where
    masks are files, and the columns of groups; null for an image without a mask."""
    remedy: str
    """What to do where a file is missing."""
    folder: str | None = None
    """The folder below `data.root` that holds the images."""
    groups: tuple[str, ...] = ()
    """The columns whose values together make an image's group."""
    masks: TableMasks | None = None
    """What the pixels of masks mean."""
    mask_format: MaskFormat | None = None
    """Reads the masks, where they are none that `masks` can describe."""
    more_masks: Sequence[tuple[str, ...]] = ()
    """For each row the further files of its mask, below `data.root`; empty where a mask is one file."""
    shift: tuple[str, ...] = ()
    """The shifted test sets."""


def set_folder(root: Path, names: Sequence[str], holds: str, *, download: str) -> str:
    """Return the first of the named folders below the root that holds a file or a folder.

    Args:
        root: The root of the data.
        names: Folders below it, of which one is needed.
        holds: What tells that a folder is the right one.
        download: Ends the message where there is none: what to fetch from where.

    Raises:
        ConfigError: None of them does.
    """
    found = next((name for name in names if (root / name / holds).exists()), None)
    if found is None:
        wanted = " or ".join(f"{name}/{holds}" for name in names)
        raise ConfigError(f"data.root: {root} holds no {wanted}; {_nearby(root, names, holds) or download}")
    return found


def _nearby(root: Path, names: Sequence[str], holds: str) -> str | None:
    """Return what to set where the root is the folder, a folder on the way to it, or one level above; else None."""
    for name in names:
        parts = Path(name).parts
        for depth in range(1, len(parts) + 1):
            if root.parts[-depth:] == parts[:depth] and Path(root, *parts[depth:], holds).exists():
                return f"it is {'/'.join(parts[:depth])} itself: set data.root={Path(*root.parts[:-depth])}"
        below = next((path for path in sorted(root.glob(f"*/{name}/{holds}"))), None)
        if below is not None:
            return f"it is one folder deeper: set data.root={root / below.relative_to(root).parts[0]}"
    return None


def read_columns(path: Path, *names: str) -> TableFile:
    """Read columns of a CSV file; ConfigError where one is missing or a cell is empty."""
    table = read_table_file(path, required=dict.fromkeys(names, "column"), refused={}, setting="data.root")
    for name in names:
        table.refuse(name, pc.is_null(table.columns[name]), lambda _: "is empty; every row needs a value")
    return table


def renamed(table: TableFile, column: str, names: Mapping[str, str]) -> Any:
    """Return a column with names in place of its values; ConfigError for a value that has none."""
    places_N = pc.index_in(table.columns[column], value_set=pa.array(names))
    expected = ", ".join(f"{value} ({name})" for value, name in names.items())
    table.refuse(column, pc.is_null(places_N), lambda cell: f"found {cell}; expected {expected}")
    return pa.array(names.values(), pa.string()).take(places_N)


def columns_of(rows: Sequence[Mapping[str, str | None]]) -> dict[str, list[str | None]]:
    """Return rows as columns; all have the keys of the first."""
    return {name: [row[name] for row in rows] for name in rows[0]}
