"""How far long work is: a live display on a terminal, plain lines elsewhere; always on standard error."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orchestrator.results.formatting import format_seconds


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
