"""Progress of long work: a live display on a terminal, plain lines elsewhere; always on standard error."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from orchestrator.files.text import format_seconds
from trainables.evaluations import ProgressListener

LINE_WIDTH = 80
INDENT = "    "


class TrialListener(Protocol):
    """Hears of every epoch and every end of a trial."""

    def on_epoch(self, trial_id: str, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def on_end(self, trial_id: str, status: str) -> None: ...


def fill(pieces: Iterable[str], width: int = LINE_WIDTH) -> str:
    """Join pieces with two spaces into lines of at most `width` columns; only a longer piece makes a longer line."""
    first, *rest = pieces
    lines = [first]
    for piece in rest:
        if len(lines[-1]) + 2 + len(piece) <= width:
            lines[-1] += f"  {piece}"
        else:
            lines.append(INDENT + piece)
    return "\n".join(lines)


class _EpochBar(Progress):
    """One bar under the text of the latest event."""

    text = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield Text(self.text)
        yield self.make_tasks_table(self.tasks)


class EpochProgress:
    """Counts epochs over all trials; a trial that ends early counts as having run them all."""

    def __init__(
        self,
        *,
        num_trials: int,
        epochs: int,
        shown: tuple[str, ...],
        done: Mapping[str, int],
        epochs_of: Callable[[str], int] | None = None,
    ) -> None:
        """Args:
        num_trials: Trials in all.
        epochs: Epochs of a trial that has not started.
        shown: Metrics to print with an epoch.
        done: Trial id -> epochs it had run before.
        epochs_of: Trial id -> epochs of a trial that has started; by default `epochs`.
        """
        self._num_trials = num_trials
        self._epochs = epochs
        self._epochs_of = epochs_of or (lambda _: epochs)
        self._full = {trial_id: self._epochs_of(trial_id) for trial_id in done}
        self._shown = shown
        self._reached = dict(done)
        self._started = time.monotonic()
        self._at_start = sum(done.values())
        self._console = Console(stderr=True)
        self._bar: _EpochBar | None = None

    def __enter__(self) -> "EpochProgress":
        if self._console.is_terminal:
            columns = (BarColumn(24), MofNCompleteColumn(table_column=Column(no_wrap=True)), TextColumn("epochs"))
            times = (TimeElapsedColumn(table_column=Column(no_wrap=True)), TextColumn("{task.fields[eta]}"))
            self._bar = _EpochBar(*columns, *times, console=self._console)
            self._bar.text = "starting"
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total(), completed=self._at_start, eta="")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def on_epoch(self, trial_id: str, epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch <= self._reached.get(trial_id, 0):
            return
        self._reached[trial_id] = epoch
        values = [f"{name} {metrics[name]:.3f}" for name in self._shown if name in metrics]
        self._show(trial_id, f"epoch {epoch}/{self._full_of(trial_id)}", *values)

    def on_end(self, trial_id: str, status: str) -> None:
        self._reached[trial_id] = self._full_of(trial_id)
        self._show(trial_id, status)

    def eta_s(self) -> float | None:
        """Return the seconds left at the pace so far, or None before the first epoch."""
        done = sum(self._reached.values())
        pace = (done - self._at_start) / max(1e-9, time.monotonic() - self._started)
        return (self._total() - done) / pace if done > self._at_start else None

    def _full_of(self, trial_id: str) -> int:
        if trial_id not in self._full:
            self._full[trial_id] = self._epochs_of(trial_id)
        return self._full[trial_id]

    def _total(self) -> int:
        return sum(self._full.values()) + (self._num_trials - len(self._full)) * self._epochs

    def _show(self, *pieces: str) -> None:
        eta = self.eta_s()
        left = "" if eta is None else f"{format_seconds(eta)} left"
        done = sum(self._reached.values())
        if self._bar:
            self._bar.text = fill(pieces, self._console.width)
            self._bar.update(self._task, completed=done, total=self._total(), eta=left)
        else:
            sys.stderr.write(fill([*pieces, f"[{done / self._total():.0%}, {left or 'starting'}]"]) + "\n")
            sys.stderr.flush()


class SuiteProgress:
    """The display that all runs share."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None

    def __enter__(self) -> "SuiteProgress":
        if self._console.is_terminal:
            name = TextColumn("{task.description}", table_column=Column(overflow="fold"))
            elapsed = TimeElapsedColumn(table_column=Column(no_wrap=True))
            self._bar = Progress(name, BarColumn(20), TaskProgressColumn(), elapsed, console=self._console)
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def listener(self, run: str, num_evaluations: int) -> "RunProgress":
        """Return the listener of one run, whose lines begin with its name."""
        row = self._bar.add_task(f"{run} waiting", total=None) if self._bar else None
        return RunProgress(self, run, num_evaluations, row)

    def update(self, row: TaskID | None, **changes: object) -> None:
        """Change a run's row; without a terminal it does nothing."""
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
    """Shows each evaluation of one run as it starts, proceeds and ends."""

    def __init__(self, display: SuiteProgress, run: str, num_evaluations: int, row: TaskID | None) -> None:
        self._display = display
        self._run = run
        self._num_evaluations = num_evaluations
        self._num_done = 0
        self._row = row
        self.skipped: dict[str, str] = {}
        """By evaluation that was skipped, why."""

    def on_start(self, name: str) -> None:
        self._display.update(self._row, completed=0, total=None, description=f"{self._place(1)} {name}")

    def on_tick(self, done: int, total: int) -> None:
        self._display.update(self._row, completed=done, total=total)

    def on_end(self, name: str, seconds: float, *, stored: bool) -> None:
        self._end(name, "finished before" if stored else format_seconds(seconds))

    def on_skip(self, name: str, reason: str) -> None:
        self.skipped[name] = reason
        self._end(name, f"skipped: {reason}")

    def on_fail(self, name: str, reason: str) -> None:
        self._end(name, f"failed: {reason}")

    def _end(self, name: str, how: str) -> None:
        self._num_done += 1
        self._display.say(f"{self._place(0)} {name}: {how}")
        if self._num_done == self._num_evaluations:
            self._display.update(self._row, completed=1, total=1, description=f"{self._run} done")

    def _place(self, ahead: int) -> str:
        return f"{self._run} [{self._num_done + ahead}/{self._num_evaluations}]"
