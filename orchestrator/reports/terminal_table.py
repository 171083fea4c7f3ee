"""A table for the terminal that never breaks a value: it leaves out columns, or shows a block for each line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

PADDINGS = (1, 0)
"""Spaces between columns besides the one that the box has, the preferred first."""


@dataclass(frozen=True, slots=True)
class TerminalColumn:
    """A column; its label may be broken after a slash or an underscore, its values never."""

    label: str
    is_numeric: bool
    is_optional: bool = False
    """Whether a narrow terminal may leave it out."""


@dataclass(frozen=True, slots=True)
class TerminalTable:
    """Columns and lines, which rich lays out for the width that there is."""

    columns: tuple[TerminalColumn, ...]
    lines: tuple[tuple[Text, ...], ...]
    num_named: int = 1
    """Columns at the left that name a line."""
    note: str = ""
    """Shown below the lines."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._laid_out(console, options)
        if self.note:
            yield Text(self.note)

    def _laid_out(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        optional = [index for index, column in enumerate(self.columns) if column.is_optional]
        for num_left_out in range(len(optional) + 1):
            left_out = optional[len(optional) - num_left_out :]
            for padding in PADDINGS:
                table = self._without(left_out)._grid(padding)
                if Measurement.get(console, options.update(max_width=10_000), table).maximum <= options.max_width:
                    yield table
                    if left_out:
                        yield Text(f"Not shown at this width: {', '.join(self.columns[i].label for i in left_out)}.")
                    return
        yield from self._blocks()

    def _without(self, left_out: Sequence[int]) -> "TerminalTable":
        kept = [index for index in range(len(self.columns)) if index not in left_out]
        lines = tuple(tuple(line[index] for index in kept) for line in self.lines)
        return replace(self, columns=tuple(self.columns[index] for index in kept), lines=lines)

    def _grid(self, padding: int) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, padding, 0, 0))
        for column in self.columns:
            label = Text(column.label.replace("/", "/\n").replace("_", "_\n"))
            table.add_column(label, no_wrap=True, justify="right" if column.is_numeric else "left")
        for line in self.lines:
            table.add_row(*line)
        return table

    def _blocks(self) -> Iterator[RenderableType]:
        """Yield each line as its name and, indented, a line for each further value."""
        for line in self.lines:
            yield _unbroken(Text("  ").join(line[: self.num_named]))
            for column, cell in zip(self.columns[self.num_named :], line[self.num_named :], strict=True):
                yield _unbroken(Text.assemble(f"  {column.label}: ", Text(" ").join(cell.split("\n"))))


def _unbroken(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ignore"
    return text
