"""The groups of a table's images: combinations of the values of some columns.

Shape letters: N rows, G groups, C columns.
"""

from typing import NamedTuple

import numpy as np

from trainables.data.image_table import Ints
from trainables.data.table_columns import Values, column_values
from trainables.data.table_file import TableFile


class Groups(NamedTuple):
    """The combinations that occur, ordered by the first column, then the second."""

    columns: tuple[str, ...]
    names: tuple[str, ...]
    """A combination is called `place=water, size=small`."""
    values_GC: Ints
    """The place of each combination's value among those of its column."""
    codes_N: Ints
    """Each row's group."""


def group_values(table: TableFile, columns: tuple[str, ...]) -> Groups | None:
    """Return the combinations of the columns' values; None without columns."""
    if not columns:
        return None
    found = [column_values(table.columns[name]) for name in columns]
    values_GC, groups_N = np.unique(np.stack([each.codes_N for each in found], axis=1), axis=0, return_inverse=True)
    names = tuple(_name(columns, found, values_C.tolist()) for values_C in values_GC)
    return Groups(columns, names, values_GC, groups_N.reshape(-1).astype(np.int64))


def _name(columns: tuple[str, ...], found: list[Values], codes: list[int]) -> str:
    return ", ".join(f"{name}={each.names[code]}" for name, each, code in zip(columns, found, codes, strict=True))


def uncommon_values(groups: Groups, labels_N: Ints, train_N: Ints) -> tuple[tuple[str, ...], ...]:
    """Return, for each group, the columns whose value is not the most frequent one of the group's class in training.

    Empty where a group has images of several classes, so that no value is that of a class.

    Args:
        labels_N: Each row's class.
        train_N: The rows to train on.
    """
    pairs_P2 = np.unique(np.stack([groups.codes_N, labels_N], axis=1), axis=0)
    if len(pairs_P2) > len(groups.names):
        return ()
    labels_G = pairs_P2[:, 1]
    uncommon: list[tuple[str, ...]] = [()] * len(groups.names)
    num_G = np.bincount(groups.codes_N[train_N], minlength=len(groups.names))
    for place, name in enumerate(groups.columns):
        shares_KV = np.zeros((labels_G.max() + 1, groups.values_GC[:, place].max() + 1))
        np.add.at(shares_KV, (labels_G, groups.values_GC[:, place]), num_G)
        is_common_G = shares_KV[labels_G, groups.values_GC[:, place]] == shares_KV.max(1)[labels_G]
        uncommon = [
            names if is_common else (*names, name) for names, is_common in zip(uncommon, is_common_G, strict=True)
        ]
    return tuple(uncommon)
