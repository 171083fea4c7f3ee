"""Find a run by a name that a user gives."""

from pathlib import Path

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.results.trial_rows import best, trial_rows, why_none_is_feasible
from orchestrator.tracking import Store, folder_of_run
from trainables.config import ConfigError
from trainables.trial_folder import TrialFolder


def find_run(name: str, storage: Path, store: Store) -> TrialFolder:
    """Return the trial folder that `name` means.

    That is a path, SWEEP/TRIAL, SWEEP for its best trial, a run of `campaign train`, or an MLflow run id.

    Raises:
        ConfigError: It means none.
    """
    sweep, _, trial_id = name.partition("/")
    places = [Path(name), storage / "runs" / name, SweepFolder.of(storage, sweep).trials_path / trial_id]
    for place in places:
        if (place / "config.yaml").is_file():
            return TrialFolder(place.absolute())
    if SweepFolder.of(storage, name).config_path.exists():
        return _best_trial(SweepFolder.of(storage, name))
    folder = folder_of_run(store, storage, name) if _looks_like_run_id(name) else None
    if folder is None:
        raise ConfigError(
            f"no run {name!r}: give a trial's folder, SWEEP or SWEEP/TRIAL of {storage / 'sweeps'}, the name of a run "
            f"of campaign train, or an MLflow run id of {store}"
        )
    return TrialFolder(folder)


def run_name(folder: TrialFolder, storage: Path) -> str:
    """Return the shortest of the names under which `find_run` finds the folder."""
    path, root = folder.path.resolve(), storage.resolve()
    if path.parent == root / "runs":
        return path.name
    if path.parent.name == "trials" and path.parents[2] == root / "sweeps":
        return f"{path.parents[1].name}/{path.name}"
    return str(folder.path)


def _best_trial(sweep: SweepFolder) -> TrialFolder:
    rows, config = trial_rows(sweep, {}), sweep.config()
    winners = best(rows, config.goals)
    if not winners:
        why = why_none_is_feasible(rows, config.goals, config.constraints)
        what = f"sweep {config.name}: {why}" if why else f"no trial of sweep {config.name} has completed"
        raise ConfigError(f"{what}; see campaign status {config.name}")
    return sweep.trial(winners[0]["trial_id"])


def _looks_like_run_id(name: str) -> bool:
    return len(name) == 32 and all(letter in "0123456789abcdef" for letter in name)
