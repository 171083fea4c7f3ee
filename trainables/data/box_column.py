"""A table's column of boxes, as numbers.

Shape letters: N rows, M boxes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trainables.data.image_file import Boxes
from trainables.data.table_file import TableFile

_NUMBER = r"-?\d+(\.\d+)?"
_BOX = rf"{_NUMBER}( +{_NUMBER}){{3}}"
_CELL = rf"^{_BOX}( *; *{_BOX})* *;?$"
_EXPECTED = "expected x1 y1 x2 y2 in pixels, with x1 < x2 and y1 < y2, and ; between two boxes"


@dataclass(frozen=True, eq=False)
class BoxColumn:
    """The boxes of each row, which may have none."""

    table: TableFile
    name: str
    corners_M4: npt.NDArray[np.float64]
    ends_N: npt.NDArray[np.int64]
    """The first box after those of each row."""

    def __getitem__(self, row: int) -> Boxes | None:
        """Return the boxes of a row; None where it has none."""
        start = int(self.ends_N[row - 1]) if row else 0
        corners = self.corners_M4[start : int(self.ends_N[row])].tolist()
        if not corners:
            return None
        boxes = tuple((left, top, right, bottom) for left, top, right, bottom in corners)
        return Boxes(boxes, self.table.where(row, self.name))

    def text(self, row: int) -> str:
        """Return the cell of a row as it was written; empty where it has no boxes."""
        cell: str | None = self.table.columns[self.name][row].as_py()
        return cell or ""


def box_column(table: TableFile, name: str) -> BoxColumn:
    """Read a column of boxes; ConfigError where a cell is none."""
    cells_N = table.columns[name]
    table.refuse(name, pc.invert(pc.match_substring_regex(cells_N, _CELL)), lambda cell: f"found {cell!r}; {_EXPECTED}")
    numbers_N = pc.split_pattern_regex(pc.utf8_rtrim(cells_N, " ;"), "[ ;]+")
    corners_M4 = pc.list_flatten(numbers_N).cast(pa.float64()).to_numpy(zero_copy_only=False).reshape(-1, 4)
    ends_N = np.cumsum(pc.fill_null(pc.list_value_length(numbers_N), 0).to_numpy().astype(np.int64) // 4)
    is_flat_M = (corners_M4[:, 2:] <= corners_M4[:, :2]).any(1)
    flat_N = np.zeros(len(cells_N), dtype=np.bool_)
    flat_N[np.searchsorted(ends_N, np.flatnonzero(is_flat_M), side="right")] = True
    table.refuse(name, pa.array(flat_N), lambda cell: f"found {cell!r}; {_EXPECTED}")
    return BoxColumn(table, name, corners_M4, ends_N)
