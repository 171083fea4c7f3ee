"""How far an evaluation is: a live display on a terminal, a line a part elsewhere; always on standard error."""

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from orchestrator.progress import format_seconds
from trainables.evaluations import Watch


class SuiteProgress(Watch):
    """Shows each part as it starts, goes on and ends."""

    def __init__(self, num_parts: int) -> None:
        self._num_parts = num_parts
        self._num_done = 0
        self._console = Console(stderr=True)
        self._bar: Progress | None = None

    def __enter__(self) -> "SuiteProgress":
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, TimeRemainingColumn(), console=self._console)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def on_start(self, name: str) -> None:
        if self._bar:
            self._bar.reset(self._task, total=None, description=f"{self._place(1)} {name}")

    def on_tick(self, done: int, total: int) -> None:
        if self._bar:
            self._bar.update(self._task, completed=done, total=total)

    def on_end(self, name: str, seconds: float, *, kept: bool) -> None:
        self._say(name, "kept from before" if kept else format_seconds(seconds))

    def on_skip(self, name: str, reason: str) -> None:
        self._say(name, f"skipped: {reason}")

    def _say(self, name: str, how: str) -> None:
        self._num_done += 1
        line = f"{self._place(0)} {name}: {how}"
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    def _place(self, ahead: int) -> str:
        return f"[{self._num_done + ahead}/{self._num_parts}]"
