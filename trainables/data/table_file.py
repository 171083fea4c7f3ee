"""The columns of a CSV or Parquet file as arrays of text, and the checks of their cells.

Shape letter: N rows.
"""

import csv
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from trainables.config import ConfigError, check_regular
from trainables.data.folders import first_few

_NULLS = ["", "nan", "NaN"]
"""What pandas and numpy write for a cell without a value, in any column."""
_OTHER_SEPARATORS = {";": "';'", "\t": "a tab", "|": "'|'"}
_NOT_UTF_8 = "is not in UTF-8; save it as CSV in UTF-8"


@dataclass(frozen=True, eq=False)
class TableFile:
    """The columns that were asked for, without spaces around values; a cell without a value is null."""

    path: Path
    first_row: int | None
    """The number of the first row of values, as a spreadsheet counts: 2 in a CSV file, below its header. None where
    rows and columns are in no file, so that messages name none."""
    columns: Mapping[str, Any]
    """Arrays of N strings, by name."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def where(self, row: int, column: str) -> str:
        """Return how messages name a cell."""
        return str(self.path) if self.first_row is None else f"{self.path}, row {row + self.first_row}, column {column}"

    def refuse(self, column: str, wrong_N: Any, what: Callable[[str | None], str]) -> None:
        """Raise ConfigError where a cell is wrong, about the first of them.

        Args:
            column: The column.
            wrong_N: Whether each of its cells is wrong.
            what: From a cell to what is wrong with it, and what would be right.
        """
        row = pc.index(wrong_N, True).as_py()
        if row >= 0:
            num = pc.sum(wrong_N).as_py()
            more = f" (and {num - 1} more of {len(self)} rows)" if num > 1 else ""
            cell = self.columns[column][row].as_py()
            raise ConfigError(f"{self.where(row, column)}: {what(cell)}{more}")


def read_table_file(
    path: Path, *, required: Mapping[str, str], refused: Mapping[str, str], setting: str = "data.table"
) -> TableFile:
    """Read the named columns of a CSV or Parquet file.

    Args:
        path: The file; its ending says which of the two it is.
        required: Names of columns to read, each with the setting that names it.
        refused: Names of columns that it may not have, each with the reason.
        setting: The setting that names the file, for messages.

    Raises:
        ConfigError: It cannot be read, lacks a column, has one that it may not have, or has no rows.
    """
    wanted = list(required)
    try:
        check_regular(path)
        is_csv = path.suffix.lower() == ".csv"
        header = _csv_header(path, setting) if is_csv else pa.parquet.ParquetFile(path).schema_arrow.names
        _check_header(path, header, required, refused, setting)
        table = _read_csv(path, header, wanted) if is_csv else pa.parquet.ParquetFile(path).read(columns=wanted)
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(f"{setting}: {path} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not len(table):
        raise ConfigError(f"{setting}: {path} has no rows")
    columns = {name: _texts(path, name, table[name].combine_chunks(), setting) for name in wanted}
    return TableFile(path, 2 if is_csv else 1, columns)


def _csv_header(path: Path, setting: str) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{setting}: {path} {_NOT_UTF_8}") from error
    header = [name.strip() for name in next(csv.reader([line]), [])]
    for separator, name in _OTHER_SEPARATORS.items():
        if len(header) == 1 and separator in header[0]:
            raise ConfigError(
                f"{setting}: the columns of {path} are separated by {name}; save it with commas, or as Parquet"
            )
    return header


def _read_csv(path: Path, header: list[str], wanted: list[str]) -> Any:
    return pa.csv.read_csv(
        path,
        # One thread, so that a message about a row has its number.
        pa.csv.ReadOptions(column_names=header, skip_rows=1, use_threads=False),
        pa.csv.ParseOptions(newlines_in_values=True),
        pa.csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            strings_can_be_null=True,
            null_values=_NULLS,
        ),
    )


def _check_header(
    path: Path, header: list[str], required: Mapping[str, str], refused: Mapping[str, str], setting: str
) -> None:
    if not header:
        raise ConfigError(f"{setting}: {path} is empty; expected a header with the columns {', '.join(required)}")
    twice = [name for name in required if header.count(name) > 1]
    if twice:
        raise ConfigError(f"{setting}: {path} has several columns of the name {first_few(twice)}; rename them")
    for name in header:
        if name in refused:
            raise ConfigError(f"{setting}: {path} has a column {name}; {refused[name]}")
    for name, by in required.items():
        if name not in header:
            by_lower = {other.lower(): other for other in header}
            close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.75)
            hint = f"did you mean {by_lower[close[0]]}? " if close else ""
            raise ConfigError(f"{by} = {name}: {path} has no such column; {hint}it has {', '.join(header)}")


def _texts(path: Path, name: str, column: Any, setting: str) -> Any:
    """Return a column as text; numbers that are whole have no decimals."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        is_whole = pc.all(pc.equal(pc.round(column), column), min_count=0).as_py()
        column = column.cast(pa.int64()) if is_whole else column
    try:
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigError(f"{setting}: {path}, column {name} has values of type {column.type}, not texts") from error
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
