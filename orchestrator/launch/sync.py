"""Send to MLflow what it misses of a sweep or of a run of `campaign train`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.files.lock import locked
from orchestrator.files.provenance import read_provenance
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.sweep import sync_sweep
from orchestrator.launch.train import trial_run_of_run
from orchestrator.launch.trials import sweep_context
from orchestrator.tracking import Store, TrialRun, sync
from trainables.config import ConfigError
from trainables.trial_folder import TrialFolder


@dataclass(frozen=True, slots=True)
class Synced:
    """What was sent."""

    kind: Literal["sweep", "run"]
    num_trials: int
    left: list[str]
    """The trials that MLflow still lacks in part."""


def sync_named(name: str, storage: Path, store: Store) -> Synced:
    """Send what MLflow misses of the sweep, or of the run of `campaign train`, of that name.

    Raises:
        ConfigError: There is neither, or a process runs it.
        StoreError: The MLflow store cannot be used.
    """
    sweep, run = SweepFolder.of(storage, name), TrialFolder((storage / "runs" / name).absolute())
    if sweep.config_path.exists():
        return Synced("sweep", len(sweep.trial_ids()), sync_sweep(sweep, store))
    if not run.config_path.exists():
        found = sorted(path.parent.name for path in storage.glob("*/*/*.yaml") if path.stem in ("sweep", "config"))
        there = f"there are: {', '.join(found)}" if found else "there is none yet"
        raise ConfigError(f"no sweep or run {name!r} in {storage}; {there}")
    with locked(run.path / ".lock", f"run {name}"):
        run.restore_rows()
        return Synced("run", 1, sync([trial_run_of_run(run, store)]))


def trial_run_of(folder: TrialFolder, store: Store) -> TrialRun:
    """Return the MLflow run of a trial: found by what the folder is, wherever it lies now.

    Raises:
        StoreError: The MLflow store cannot be used, or nothing says to which experiment the run belongs.
    """
    sweep = SweepFolder(folder.path.parents[1])
    if folder.path.parent != sweep.trials_path or not sweep.config_path.exists():
        return trial_run_of_run(folder, store)
    context = sweep_context(sweep, store, read_provenance(sweep.path), opens_run=False)
    return context.trial_run(folder.path.name, folder.config())
