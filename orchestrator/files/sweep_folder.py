"""A sweep's folder: its config and its trials."""

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.files.lock import is_locked, locked
from orchestrator.files.search_state import SearchState
from orchestrator.files.sweep_config import SweepConfig, read_sweep_config, sweep_yaml
from search_spaces import check_grid
from trainables.config import ConfigError
from trainables.json_file import BrokenFileError, time_ms, write_text
from trainables.trial_folder import FolderGoneError, TrialFolder

logger = logging.getLogger(__name__)


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
    def storage(self) -> Path:
        """The storage folder that contains the sweep."""
        return self.path.parent.parent

    @property
    def config_path(self) -> Path:
        return self.path / "sweep.yaml"

    @property
    def study_path(self) -> Path:
        return self.path / "study.journal"

    @property
    def search_path(self) -> Path:
        """How long the sweep has been searching, and why it ended early."""
        return self.path / "search.json"

    @property
    def result_path(self) -> Path:
        """The result of the study that the sweep runs; `study.md` next to it is its table."""
        return self.path / "study.json"

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

    @property
    def is_new(self) -> bool:
        """Whether there is no such sweep yet."""
        try:
            return not self.config_path.exists()
        except OSError:  # Its name is longer than the disk allows.
            return True

    def claim(self, config: SweepConfig) -> None:
        """Write `config`, or check that the folder is already this sweep's; ConfigError names what differs.

        Fields outside the sweep's identity may differ: they do not change the trials. The base keeps what earlier
        versions wrote. A sweep that never had a trial is replaced.
        """
        if not self.config_path.exists():
            self.write(config)
            return
        if self.config() != config and not self.trial_ids():
            with self.locked():
                provenance = (self.path / "provenance.json", self.path / "provenance.diff")
                for path in (self.study_path, self.search_path, *provenance):
                    path.unlink(missing_ok=True)
                self.write(config)
            return
        self.check_claim(config)
        config = config.model_copy(update={"base": self.config().base})
        if self.config() != config:
            with self.locked():
                self.write(config)

    def check_claim(self, config: SweepConfig) -> None:
        """Check that the folder is free for a sweep or already has it; ConfigError names what differs."""
        if not self.trial_ids():
            return
        own, given = self.config().identity, config.identity
        different = [key for key in own | given if own.get(key) != given.get(key)]
        if different:
            raise ConfigError(
                f"there is a sweep {config.name!r} already, with other {', '.join(different)}; give another --name, "
                f"or continue that one with: campaign resume {config.name}"
            )

    def extended(self, num_trials: int) -> SweepConfig:
        """Return the config with `num_trials` more, without the limits if they ended the search.

        Raises:
            ConfigError: The sweep searches no space, or its grid has no more points.
        """
        config = self.config()
        if config.space is None:
            raise ConfigError(f"sweep {config.name} is a fixed list of trials, not a search; it cannot be extended")
        started = len(self.trial_ids()) if self.search_end(config) else config.num_trials
        limits = {"time_budget_s": None, "stop_when": ()} if self.search_end(config) else {}
        config = config.model_copy(update={"num_trials": started + num_trials, **limits})
        if config.sampler == "grid":
            check_grid(config.searched_space, config.num_trials, seed=config.seed)
        return config

    def extend(self, num_trials: int) -> None:
        """Add `num_trials` to a sweep that searches a space; ConfigError if a driver runs it."""
        with self.locked():
            self.write(self.extended(num_trials))

    def set_trial_timeout(self, timeout_s: float) -> None:
        """Store another limit for trials that report nothing; ConfigError if a driver runs the sweep."""
        with self.locked():
            self.write(self.config().model_copy(update={"trial_timeout_s": timeout_s}))

    def forget_failures(self) -> None:
        """Remove the outcomes of failed trials, so that they run again; ConfigError if a driver runs the sweep."""
        with self.locked():
            for trial_id in self.failed():
                self.trial(trial_id).outcome_path.unlink()

    def failed(self) -> list[str]:
        """Return the trials that failed."""
        outcomes = {trial_id: self.trial(trial_id).outcome() for trial_id in self.trial_ids()}
        return [trial_id for trial_id, outcome in outcomes.items() if outcome and outcome.status == "failed"]

    def check_trials(self) -> None:
        """Check that no trial's config was edited after it had an epoch; ConfigError names the file."""
        for trial_id in self.trial_ids():
            self.trial(trial_id).config()

    def trial(self, trial_id: str) -> TrialFolder:
        return TrialFolder(self.trials_path / trial_id)

    def trial_ids(self) -> list[str]:
        """Return the ids of the trials that have a config, in order."""
        return sorted(path.parent.name for path in self.trials_path.glob("*/config.yaml"))

    def epochs(self, trial_id: str) -> int:
        """Return how many epochs the trial has when it runs to its end."""
        return self.trial(trial_id).config().training.epochs

    def epochs_done(self, trial_id: str) -> int:
        """Return how many epochs the trial has run; one that has ended early counts as having run all."""
        trial = self.trial(trial_id)
        return self.epochs(trial_id) if trial.outcome() else len(trial.rows())

    def unfinished(self) -> list[str]:
        """Return the trials that were started and have no outcome, or have lost a checkpoint."""
        return [trial_id for trial_id in self.trial_ids() if self.trial(trial_id).is_unfinished()]

    def restore_rows(self) -> None:
        """Write rows that cannot be read again from the trial's checkpoint; a warning names what stays broken."""
        for trial_id in self.trial_ids():
            try:
                self.trial(trial_id).restore_rows()
            except BrokenFileError as error:
                logger.warning("trial %s is broken: %s", trial_id, error)

    def num_finished(self) -> int:
        return len(self.trial_ids()) - len(self.unfinished())

    def num_left(self, config: SweepConfig) -> int:
        """Return how many trials are still to run; once the search has ended early, those that were started."""
        if self.search_end(config):
            return len(self.unfinished())
        return max(config.num_trials - self.num_finished(), 0)

    def search_state(self) -> SearchState:
        return SearchState.read(self.search_path)

    def search_end(self, config: SweepConfig) -> str | None:
        """Return which limit ended the search early, and how; None where none did."""
        return self.search_state().end_under(config)

    def result_time_ms(self) -> int:
        """Return when a trial last ended or was evaluated, in milliseconds since 1970; 0 before any has."""
        trials = [self.trial(trial_id) for trial_id in self.trial_ids()]
        return max(
            (time_ms(path) for trial in trials for path in (trial.outcome_path, trial.evaluation_path)), default=0
        )

    def check_present(self) -> None:
        """Check that the sweep's folder is still there; FolderGoneError if it was removed or moved."""
        if not self.config_path.exists():
            raise FolderGoneError(
                f"{self.path} was removed or moved while its sweep ran; if it was moved, continue it there: campaign "
                f"resume {self.path.name} --storage FOLDER"
            )

    def locked(self) -> AbstractContextManager[None]:
        """Hold the sweep for one driver; ConfigError if another one runs it."""
        return locked(self.lock_path, f"sweep {self.path.name}")

    def is_locked(self) -> bool:
        """Return whether a driver runs the sweep at this moment."""
        return is_locked(self.lock_path)
