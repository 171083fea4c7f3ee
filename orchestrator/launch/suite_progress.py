"""How far evaluations are: a live row a run on a terminal, a line a part elsewhere; always on standard error."""

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from orchestrator.results.formatting import format_seconds
from trainables.evaluations import ProgressListener


class SuiteProgress:
    """The display that all runs share."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None

    def __enter__(self) -> "SuiteProgress":
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=self._console)
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def listener(self, run: str, num_parts: int) -> "RunProgress":
        """Return the watch of one run, whose lines begin with its name."""
        row = self._bar.add_task(f"{run} waiting", total=None) if self._bar else None
        return RunProgress(self, run, num_parts, row)

    def update(self, row: TaskID | None, **changes: object) -> None:
        """Change a run's row; nothing where there is no terminal."""
        if self._bar and row is not None:
            self._bar.update(row, **changes)  # type: ignore[arg-type]

    def say(self, line: str) -> None:
        """Print a line that stays."""
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


class RunProgress(ProgressListener):
    """Shows each part of one run as it starts, goes on and ends."""

    def __init__(self, display: SuiteProgress, run: str, num_parts: int, row: TaskID | None) -> None:
        self._display = display
        self._run = run
        self._num_parts = num_parts
        self._num_done = 0
        self._row = row

    def on_start(self, name: str) -> None:
        self._display.update(self._row, completed=0, total=None, description=f"{self._place(1)} {name}")

    def on_tick(self, done: int, total: int) -> None:
        self._display.update(self._row, completed=done, total=total)

    def on_end(self, name: str, seconds: float, *, kept: bool) -> None:
        self._end(name, "kept from before" if kept else format_seconds(seconds))

    def on_skip(self, name: str, reason: str) -> None:
        self._end(name, f"skipped: {reason}")

    def on_fail(self, name: str, reason: str) -> None:
        self._end(name, f"failed: {reason}")

    def _end(self, name: str, how: str) -> None:
        self._num_done += 1
        self._display.say(f"{self._place(0)} {name}: {how}")
        if self._num_done == self._num_parts:
            self._display.update(self._row, completed=1, total=1, description=f"{self._run} done")

    def _place(self, ahead: int) -> str:
        return f"{self._run} [{self._num_done + ahead}/{self._num_parts}]"
