"""The leaderboard: one table, shown as Markdown, on the terminal and in the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.text import Text

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.reports.terminal_table import TerminalColumn, TerminalTable
from orchestrator.results.accuracy_error import within_noise
from orchestrator.results.formatting import (
    MISSING,
    errors_explained,
    format_metric,
    format_setting,
    format_with_error,
    markdown_cell,
    short_names,
    shown_epoch,
)
from orchestrator.results.metric_catalogue import key_metrics
from orchestrator.results.trial_rows import TrialRow, by_first_goal, is_feasible, ranked, varied

COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the leaderboard."""

    key: str
    """The dotted config field, the metric's name, or rank, trial, front, violation, status or epoch."""
    label: str
    holds: Literal["rank", "trial", "front", "setting", "metric", "violation", "status", "epoch"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as it is shown and as it is sorted by; None sorts last."""

    text: str
    value: float | str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A trial's line."""

    row: TrialRow
    rank: int | None
    cells: tuple[Cell, ...]

    @property
    def is_best(self) -> bool:
        return self.rank == 1 and is_feasible(self.row)


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Columns and lines; ranked trials come first."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    note: str = ""
    """What the errors are, and how many trials do not differ beyond them; empty where no error is known."""

    def is_numeric(self, index: int) -> bool:
        """Return whether the column holds numbers only, and is therefore aligned to the right."""
        values = [line.cells[index].value for line in self.lines]
        return any(value is not None for value in values) and not any(isinstance(value, str) for value in values)


def leaderboard(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> Leaderboard:
    """Rank the trials; those without a rank come last, by their id.

    There is a status column where some trial has not completed, one of the Pareto front where there are several goals,
    one of violations where there are constraints, and one of the epoch where some trial chooses it.
    """
    ranking = ranked(rows, goals)
    ranks = {row["trial_id"]: rank for rank, row in enumerate(ranking, 1)}
    rest = sorted((row for row in rows if row["trial_id"] not in ranks), key=lambda row: row["trial_id"])
    columns = _columns(rows, goals)
    lines = [
        Line(row, ranks.get(row["trial_id"]), tuple(_cell(column, row, ranks) for column in columns))
        for row in [*ranking, *rest]
    ]
    notes = (errors_explained(rows), _noise(rows, goals))
    return Leaderboard(columns, tuple(lines), " ".join(filter(None, notes)))


def _noise(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> str:
    """Say how many of the best trials in the first goal do not differ beyond noise; empty where that is not known."""
    ranking, metric = by_first_goal(rows, goals), goals[0].metric
    num = len(within_noise(ranking, metric))
    if len(ranking) < 2 or not num:
        return ""
    what = "trial differs from the second" if num == 1 else f"{num} trials do not differ"
    return f"By {metric}, the first {what} beyond noise (z test of two proportions at 5 %)."


def _columns(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> tuple[Column, ...]:
    fields = list(varied(rows))
    settings = [Column(key, name, "setting") for key, name in zip(fields, short_names(fields), strict=True)]
    metrics = [Column(name, name, "metric") for name in key_metrics(rows, goals)]
    has_status = any(row["status"] != COMPLETED for row in rows)
    status = [Column("status", "status", "status")] if has_status else []
    front = [Column("front", "front", "front")] if any("on_front" in row for row in rows) else []
    has_constraints = any("violation" in row for row in rows)
    violation = [Column("violation", "violation", "violation")] if has_constraints else []
    epoch = [Column("epoch", "epoch", "epoch")] if any(map(shown_epoch, rows)) else []
    fixed = (Column("rank", "rank", "rank"), Column("trial", "trial", "trial"))
    return (*fixed, *status, *front, *violation, *settings, *epoch, *metrics)


def _cell(column: Column, row: TrialRow, ranks: dict[str, int]) -> Cell:
    match column.holds:
        case "rank":
            rank = ranks.get(row["trial_id"])
            return Cell(MISSING if rank is None else str(rank), rank)
        case "trial":
            return Cell(row["trial_id"], row["trial_id"])
        case "status":
            return Cell(row["status"], row["status"])
        case "front":
            return Cell("yes", "yes") if row.get("on_front") else Cell(MISSING, None)
        case "violation":
            return Cell(format_metric(row.get("violation")), row.get("violation"))
        case "epoch":
            return Cell(shown_epoch(row) or str(row["epoch"]), row.get("kept_epoch", row["epoch"]))
        case "metric":
            return Cell(format_with_error(row, column.key), row["metrics"].get(column.key))
        case "setting":
            setting = row["config"].get(column.key)
            return Cell(format_setting(setting), _sortable(setting))


def _sortable(setting: Any) -> float | str | None:
    is_number = isinstance(setting, int | float) and not isinstance(setting, bool)
    return setting if setting is None or is_number else format_setting(setting)


def leaderboard_markdown(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> str:
    """Return the leaderboard as a Markdown table, and its note: rank, trial, what varies, goals, other key metrics."""
    board = leaderboard(rows, goals)
    rule = ["---:" if board.is_numeric(index) else "---" for index in range(len(board.columns))]
    lines = [
        [markdown_cell(column.label) for column in board.columns],
        rule,
        *([markdown_cell(cell.text) for cell in line.cells] for line in board.lines),
    ]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"{table}\n{board.note}\n" if board.note else table


def leaderboard_table(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> TerminalTable:
    """Return the leaderboard for the terminal, which may leave out metrics that are no goals."""
    board, names = leaderboard(rows, goals), {goal.metric for goal in goals}
    return TerminalTable(
        columns=tuple(
            TerminalColumn(column.label, board.is_numeric(index), column.holds == "metric" and column.key not in names)
            for index, column in enumerate(board.columns)
        ),
        lines=tuple(
            tuple(
                Text(cell.text, style="bold" if line.rank == 1 and is_feasible(line.row) else "") for cell in line.cells
            )
            for line in board.lines
        ),
        num_named=2,
        note=board.note,
    )
