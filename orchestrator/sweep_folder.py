"""A sweep's folder: its config, its trials and how each ended."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from orchestrator.sweep_config import SweepConfig, read_sweep_config, sweep_yaml
from trainables.config import ConfigError
from trainables.trial_folder import TrialFolder, read_json, write_json, write_text

Status = Literal["completed", "stopped", "failed"]


class Outcome(TypedDict):
    """How a trial ended: after its last epoch, stopped early by the scheduler, or by an error."""

    status: Status
    epoch: int
    error: str | None


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """The files of one sweep under `<storage>/sweeps/<name>`."""

    path: Path

    @classmethod
    def of(cls, storage: Path, name: str) -> "SweepFolder":
        return cls((storage / "sweeps" / name).absolute())

    @classmethod
    def find(cls, storage: Path, name: str) -> "SweepFolder":
        """Return the sweep of that name; ConfigError lists those there are."""
        folder = cls.of(storage, name)
        if not folder.config_path.exists():
            found = sorted(path.parent.name for path in (storage / "sweeps").glob("*/sweep.yaml"))
            there = f"sweeps there: {', '.join(found)}" if found else "there is none yet"
            raise ConfigError(f"no sweep {name!r} in {storage}; {there}")
        return folder

    @property
    def config_path(self) -> Path:
        return self.path / "sweep.yaml"

    @property
    def study_path(self) -> Path:
        return self.path / "study.journal"

    @property
    def lock_path(self) -> Path:
        return self.path / ".lock"

    @property
    def trials_path(self) -> Path:
        return self.path / "trials"

    def config(self) -> SweepConfig:
        return read_sweep_config(self.config_path)

    def write(self, config: SweepConfig) -> None:
        write_text(self.config_path, sweep_yaml(config))

    def claim(self, config: SweepConfig) -> None:
        """Write `config`, or check that the folder is already this sweep's; ConfigError names what differs.

        How many trials run at a time may differ: it says nothing about what they are.
        """
        if not self.config_path.exists():
            self.write(config)
            return
        found, wanted = self.config().model_dump(), config.model_dump()
        different = [key for key in wanted if key != "max_concurrent" and found[key] != wanted[key]]
        if different:
            raise ConfigError(
                f"there is a sweep {config.name!r} already, with other {', '.join(different)}; give another --name, "
                f"or continue that one with: campaign resume {config.name}"
            )
        if found != wanted:
            with self.locked():
                self.write(config)

    def extend(self, num_trials: int) -> None:
        """Add `num_trials` to a sweep that searches a space; ConfigError if a driver runs it."""
        config = self.config()
        if config.space is None:
            raise ConfigError(f"sweep {config.name} is a fixed list of trials, not a search; it cannot be extended")
        with self.locked():
            self.write(config.model_copy(update={"num_trials": config.num_trials + num_trials}))

    def forget_failures(self) -> None:
        """Make the failed trials unfinished ones; ConfigError if a driver runs the sweep."""
        with self.locked():
            for trial_id in self.trial_ids():
                outcome = self.outcome(trial_id)
                if outcome and outcome["status"] == "failed":
                    (self.trials_path / trial_id / "outcome.json").unlink()

    def trial(self, trial_id: str) -> TrialFolder:
        return TrialFolder(self.trials_path / trial_id)

    def trial_ids(self) -> list[str]:
        """Return the ids of the trials that have a config, in order."""
        return sorted(path.parent.name for path in self.trials_path.glob("*/config.yaml"))

    def outcome(self, trial_id: str) -> Outcome | None:
        """Return how the trial ended, or None while it has not."""
        outcome: Outcome | None = read_json(self.trials_path / trial_id / "outcome.json")
        return outcome

    def end(self, trial_id: str, error: str | None = None) -> Outcome:
        """Record that the trial ended: completed if it was evaluated, stopped early if it was not."""
        folder = self.trial(trial_id)
        rows = folder.rows()
        status: Status = "failed" if error else "completed" if folder.evaluation() is not None else "stopped"
        outcome = Outcome(status=status, epoch=int(rows[-1]["epoch"]) if rows else 0, error=error)
        write_json(folder.path / "outcome.json", outcome)
        return outcome

    def unfinished(self) -> list[str]:
        """Return the trials that were started and have no outcome."""
        return [trial_id for trial_id in self.trial_ids() if self.outcome(trial_id) is None]

    def num_finished(self) -> int:
        return len(self.trial_ids()) - len(self.unfinished())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the sweep for one driver; ConfigError if another one runs it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self.lock_path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigError(
                    f"sweep {self.path.name} is being run by another process; wait for it or stop it first"
                ) from error
            os.utime(file.fileno())
            yield

    def is_locked(self) -> bool:
        """Return whether a driver runs the sweep at this moment."""
        if not self.lock_path.exists():
            return False
        with self.lock_path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False
