"""How far long work is: a live display on a terminal, plain lines elsewhere; always on standard error."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from orchestrator.results.formatting import format_seconds
from trainables.evaluations import ProgressListener


class TrialListener(Protocol):
    """Told of every epoch and every end of a trial."""

    def on_epoch(self, trial_id: str, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def on_end(self, trial_id: str, status: str) -> None: ...


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
        self._bar: Progress | None = None

    def __enter__(self) -> "EpochProgress":
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
            self._bar = Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[eta]}"), console=self._console)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=self._total(), completed=self._at_start, eta="")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def on_epoch(self, trial_id: str, epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch <= self._reached.get(trial_id, 0):
            return
        self._reached[trial_id] = epoch
        figures = "  ".join(f"{name} {metrics[name]:.3f}" for name in self._shown if name in metrics)
        self._show(f"{trial_id}  epoch {epoch}/{self._full_of(trial_id)}  {figures}")

    def on_end(self, trial_id: str, status: str) -> None:
        self._reached[trial_id] = self._full_of(trial_id)
        self._show(f"{trial_id}  {status}")

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

    def _show(self, line: str) -> None:
        eta = self.eta_s()
        left = "" if eta is None else f"{format_seconds(eta)} left"
        done = sum(self._reached.values())
        if self._bar:
            self._bar.update(self._task, completed=done, total=self._total(), description=line, eta=left)
        else:
            sys.stderr.write(f"{line}  [{done}/{self._total()} epochs, {left or 'starting'}]\n")
            sys.stderr.flush()


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
