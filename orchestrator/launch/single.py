"""Train one config, in this process or on Ray Train workers."""

from pathlib import Path

from orchestrator.launch.runtime import ray_session
from orchestrator.launch.trial_functions import train_on_workers
from orchestrator.progress import EpochProgress
from orchestrator.sweep_folder import Outcome, Status
from orchestrator.tracking import Mirror, RunIdentity, Store, collect_provenance, ensure_experiment
from trainables.config import ExperimentConfig, config_hash
from trainables.trial_folder import Row, TrialFolder, write_json


def train_one(
    config: ExperimentConfig,
    *,
    name: str,
    campaign: str,
    storage: Path,
    store: Store,
    address: str | None = None,
) -> tuple[Mirror, TrialFolder]:
    """Train, evaluate and track `config` in `<storage>/runs/<name>`; a run that is there goes on.

    Raises:
        ConfigError: The folder holds another config.
    """
    folder = TrialFolder((storage / "runs" / name).absolute())
    folder.claim(config)
    identity = RunIdentity(
        experiment_id=ensure_experiment(store, campaign),
        sweep=name,
        trial_id=name,
        config_hash=config_hash(config),
        provenance=collect_provenance().tags,
    )
    mirror = Mirror(store, identity, folder.path)
    try:
        if config.resources.workers:
            with ray_session(address):
                train_on_workers(folder, mirror, max_failures=1, callbacks=[])
        else:
            _train_here(config, folder, mirror)
    except Exception as error:
        _end(folder, mirror, "failed", f"{type(error).__name__}: {error}")
        raise
    _end(folder, mirror, "completed", None)
    return mirror, folder


def _train_here(config: ExperimentConfig, folder: TrialFolder, mirror: Mirror) -> None:
    from trainables.training import LocalContext
    from trainables.trial import run_trial

    name, done = folder.path.name, len(folder.rows())
    shown = ("train/loss", "val/accuracy", "background/influence_share")
    with EpochProgress(num_trials=1, epochs=config.training.epochs, shown=shown, done={name: done}) as progress:

        def on_report(row: Row) -> None:
            mirror.push()
            progress.on_epoch(name, int(row["epoch"]), row)

        run_trial(config, LocalContext(folder, on_report))


def _end(folder: TrialFolder, mirror: Mirror, status: Status, error: str | None) -> None:
    rows = folder.rows()
    outcome = Outcome(status=status, epoch=int(rows[-1]["epoch"]) if rows else 0, error=error)
    write_json(folder.path / "outcome.json", outcome)
    mirror.push()
