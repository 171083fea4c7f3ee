"""Train one config, in this process or on Ray Train workers."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from orchestrator.cluster.nodes import check_nodes
from orchestrator.cluster.session import nodes_to_use
from orchestrator.data.index import file_index_in
from orchestrator.files.lock import locked
from orchestrator.files.provenance import read_provenance, record_provenance
from orchestrator.files.sweep_config import check_name
from orchestrator.launch.failed_workers import WorkersFailedError
from orchestrator.launch.preflight import check_fit, check_models
from orchestrator.launch.progress import EpochProgress
from orchestrator.launch.ray_start import start_ray
from orchestrator.launch.trial_warnings import TrialWarnings
from orchestrator.launch.trials import draw_curves, train_on_workers
from orchestrator.tracking import RunIdentity, Store, TrialRun, check_store, ensure_experiment, find_experiment
from trainables.config import ConfigError, ExperimentConfig, config_hash
from trainables.outcome import why_stopped_early
from trainables.trial_folder import Row, TrialFolder
from trainables.trial_log import trial_log

logger = logging.getLogger(__name__)


def name_run(config: ExperimentConfig, stem: str, name: str | None) -> str:
    """Return `name`, or by default `stem` with the config's hash; ConfigError where it cannot name a folder."""
    name = f"{stem}-{config_hash(config)}" if name is None else name
    check_name(name)
    return name


def train_one(
    config: ExperimentConfig,
    *,
    name: str,
    campaign: str,
    storage: Path,
    store: Store,
    address: str | None = None,
    on_start: Callable[[TrialFolder], None] = lambda _: None,
) -> tuple[TrialRun, TrialFolder]:
    """Train, evaluate and track `config` in `<storage>/runs/<name>`; a run that exists continues.

    Args:
        on_start: Called after all checks, before the training.

    Raises:
        ConfigError: The config does not fit, its data or weights cannot be used, the folder holds another config,
            another process trains it, or a cluster is named for a config without workers.
        StoreError: The MLflow store cannot be used.
        ConnectionError: Ray does not start or does not answer.
        FloatingPointError: The training diverged.
        MemoryError: The training lacks memory.
        WorkersFailedError: Workers died, or failed otherwise.
    """
    _check(config, storage, store, address)
    folder = TrialFolder((storage / "runs" / name).absolute())
    if not folder.checkpoints.has_epoch:
        check_models([config])
    _check_folder(folder, config, campaign)
    check_store(store)
    with _ray(config, address), locked(folder.path / ".lock", f"run {name}"):
        ensure_experiment(store, campaign)
        folder.claim(config)
        folder.restore_rows()
        record_provenance(folder.path, campaign)
        trial_run = trial_run_of_run(folder, store, campaign)
        on_start(folder)
        _train(config, folder, trial_run, storage.absolute())
    return trial_run, folder


def trial_run_of_run(folder: TrialFolder, store: Store, experiment: str | None = None) -> TrialRun:
    """Return the MLflow run of a folder that `campaign train` made.

    Args:
        experiment: The experiment's name, for folders of earlier versions, which do not hold it.

    Raises:
        StoreError: The MLflow store cannot be used, or nothing says to which experiment the run belongs.
    """
    name, made = folder.path.name, read_provenance(folder.path)
    experiment = made.experiment or experiment
    identity = RunIdentity(
        experiment_id=ensure_experiment(store, experiment)
        if experiment
        else find_experiment(store, name, made.created),
        sweep=name,
        trial_id=name,
        config_hash=config_hash(folder.config()),
        created=made.created,
        provenance=made.tags,
        diff=made.diff,
    )
    return TrialRun(store, identity, folder, draw_curves=draw_curves)


def _check_folder(folder: TrialFolder, config: ExperimentConfig, experiment: str) -> None:
    """Check that a folder that exists is this config's run, and not in another experiment; it would be in two."""
    if folder.config_path.exists():
        folder.claim(config)
    own = read_provenance(folder.path).experiment
    if own not in (None, experiment):
        raise ConfigError(
            f"--campaign {experiment}: run {folder.path.name} is in MLflow experiment {own!r}; continue it with "
            f"--campaign {own}, or give another --name"
        )


def _check(config: ExperimentConfig, storage: Path, store: Store, address: str | None) -> None:
    """Check data and resources, and on a cluster its nodes."""
    if address and not config.resources.workers:
        raise ConfigError(
            f"resources.workers = 0 trains in this process, and not on the cluster at {address}: --set "
            "resources.workers=1 trains there; without --address, and RAY_ADDRESS unset, it trains here"
        )
    with nodes_to_use(address) as nodes:
        if address:
            check_nodes(storage.absolute(), store, nodes)
        check_fit([config], nodes, file_index=file_index_in(storage.absolute(), on_ray=address is not None))


def _ray(config: ExperimentConfig, address: str | None) -> AbstractContextManager[object]:
    """Start Ray where the config has workers: before the run takes its name, since the start may fail."""
    return start_ray(address) if config.resources.workers else nullcontext()


def _train(config: ExperimentConfig, folder: TrialFolder, trial_run: TrialRun, storage: Path) -> None:
    try:
        try:
            if config.resources.workers:
                _train_on_ray(config, folder, trial_run, storage)
            else:
                _train_here(config, folder, trial_run, storage)
        except Exception as error:
            _finish(folder, trial_run, f"{type(error).__name__}: {error}")
            raise
        _finish(folder, trial_run)
    except KeyboardInterrupt:
        trial_run.finish("KILLED")
        raise


def _train_on_ray(config: ExperimentConfig, folder: TrialFolder, trial_run: TrialRun, storage: Path) -> None:
    import ray

    warnings = TrialWarnings()
    warnings.skip_old(folder)
    try:
        train_on_workers(config, folder, trial_run, storage=storage, max_failures=1, callbacks=[])
    except WorkersFailedError as error:
        raise WorkersFailedError(f"{error}; the same command continues after epoch {len(folder.rows())}") from None
    finally:
        ray.shutdown()  # Ends the workers: none may push once its run is closed.
        warnings.show(folder)


def _train_here(config: ExperimentConfig, folder: TrialFolder, trial_run: TrialRun, storage: Path) -> None:
    from trainables.training import LocalContext
    from trainables.trial import run_trial

    name, done = folder.path.name, len(folder.rows())
    shown = ("train/loss", "val/accuracy", "val/mean_average_precision", "val/background/influence_share")
    with EpochProgress(num_trials=1, epochs=config.training.epochs, shown=shown, done={name: done}) as progress:

        def on_report(row: Row) -> None:
            trial_run.push()
            progress.on_epoch(name, int(row["epoch"]), row)

        with trial_log(folder.log_path):
            run_trial(config, LocalContext(folder, on_report), file_index_in(storage))
        reason = why_stopped_early(config.training, folder.rows())
        if reason is not None:
            progress.on_end(name, reason)


def _finish(folder: TrialFolder, trial_run: TrialRun, error: str | None = None) -> None:
    try:
        folder.finish(error)
    except OSError as failure:  # Such as of a full disk.
        if error is None:
            trial_run.finish("FAILED")
            raise
        logger.warning("the end of run %s is not recorded: %s", folder.path.name, failure)
    trial_run.finish("FAILED" if error else "FINISHED")
