"""The two functions that Tune runs: a trial in its own process, and a driver of Ray Train workers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.files.evaluation_files import EvaluationRecord
from orchestrator.files.provenance import Provenance, read_provenance
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.failed_workers import training_error
from orchestrator.tracking import Store, SweepIdentity, TrialRun, ensure_experiment, find_sweep, open_sweep_run
from trainables.config import ConfigError, ExperimentConfig, Resources, config_hash
from trainables.json_file import BrokenFileError
from trainables.trial_folder import Row, TrialFolder
from trainables.trial_log import trial_log

TrialFunction = Callable[[dict[str, Any]], None]

FINAL_ERRORS = (FloatingPointError, ConfigError, BrokenFileError)
"""Errors that the same trial would meet again: its seed, its config and its files are the same."""
HAS_BEGUN = "campaign/has_begun"
IS_FINAL = "campaign/is_final"
"""Reports without an epoch, by which a trial tells its driver that it has begun, or that its error is final."""


@dataclass(frozen=True, slots=True)
class SweepContext:
    """What all trials of a sweep share."""

    trials_path: Path
    store: Store
    identity: SweepIdentity
    promoted_from: dict[str, str]
    """Trial id -> MLflow run id of the trial it was promoted from."""
    max_failures: int
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Trial id -> tags of its MLflow run, such as the arm of a study."""
    trial_timeout_s: float | None = None
    """Seconds without a report after which a trial is ended; None sets no limit."""
    has_workers: bool = False
    """Whether trials train on Ray Train workers."""

    @property
    def storage(self) -> Path:
        """The storage folder that the sweep lies in."""
        return self.trials_path.parents[2]

    @property
    def process_timeout_s(self) -> float | None:
        """The limit for what Tune runs; Ray Train's controller sees to workers, which may wait for a place."""
        return None if self.has_workers else self.trial_timeout_s

    def trial_run(self, trial_id: str, config: ExperimentConfig) -> TrialRun:
        """Return the MLflow run of the trial, whose folder holds `config`."""
        identity = self.identity.trial(
            trial_id,
            config_hash(config),
            promoted_from=self.promoted_from.get(trial_id),
            labels=self.labels.get(trial_id),
        )
        return TrialRun(self.store, identity, TrialFolder(self.trials_path / trial_id), draw_curves=draw_curves)


def sweep_context(sweep: SweepFolder, store: Store, command: Provenance, *, opens_run: bool) -> SweepContext:
    """Return what the sweep's trials share; create its experiment where that is missing.

    Args:
        command: The provenance that new runs of trials carry.
        opens_run: Create the sweep's parent run, or set it running again; otherwise it is looked up.

    Raises:
        StoreError: The MLflow store cannot be used.
    """
    config, made = sweep.config(), read_provenance(sweep.path)
    experiment_id = ensure_experiment(store, config.campaign)
    identity = SweepIdentity(experiment_id, config.name, scale=config.scale, created=made.created, provenance=made)
    if opens_run:
        parent_run_id: str | None = open_sweep_run(store, identity, sweep.path)
    else:
        parent_run_id = find_sweep(store, config.campaign, config.name, created=made.created).parent_run_id
    identity = replace(identity, parent_run_id=parent_run_id, provenance=command)
    study = config.study
    labels = {trial_id: study.tags(trial_id) for trial_id in study.trials} if study else {}
    return SweepContext(
        sweep.trials_path,
        store,
        identity,
        config.promoted_from,
        config.max_failures,
        labels,
        config.trial_timeout_s,
        has_workers=config.experiment().resources.workers > 0,
    )


def draw_curves(evaluations: Sequence[EvaluationRecord]) -> str | None:
    """Return the page of curves for MLflow; the drawing is imported only if there is something to draw."""
    from orchestrator.reports.evaluation_charts import charts_page

    return charts_page(evaluations)


def in_process_trial(context: SweepContext) -> TrialFunction:
    """Return a function that trains the trial in the process that calls it."""

    def trial(point: dict[str, Any]) -> None:
        from ray import tune

        from orchestrator.data.index import file_index_in
        from trainables.training import LocalContext
        from trainables.trial import run_trial

        folder = TrialFolder(context.trials_path / point["trial_id"])

        def on_report(row: Row) -> None:
            push(row)
            tune.report(dict(row))

        with _reporting_to_tune(), trial_log(folder.log_path):
            config = folder.config()
            push = PushEpochs(context.trial_run(point["trial_id"], config))
            run_trial(config, LocalContext(folder, on_report), file_index_in(context.storage))

    return trial


@contextmanager
def _reporting_to_tune() -> Iterator[None]:
    """Report to Tune that the trial has begun and, where that is so, that its error is final."""
    from ray import tune

    tune.report({HAS_BEGUN: True})
    try:
        yield
    except FINAL_ERRORS:
        tune.report({IS_FINAL: True})
        raise


def distributed_trial(context: SweepContext) -> TrialFunction:
    """Return a function that drives the trial's Ray Train workers."""

    def trial(point: dict[str, Any]) -> None:
        from ray.tune.integration.ray_train import TuneReportCallback

        from orchestrator.cluster.leftovers import remove_groups_of_dead_actors
        from orchestrator.launch.train_callback import EndHungWorkers

        timeout_s = context.trial_timeout_s
        ends_hung = [] if timeout_s is None else [EndHungWorkers(timeout_s)]
        folder = TrialFolder(context.trials_path / point["trial_id"])
        with _reporting_to_tune():
            config = folder.config()
            remove_groups_of_dead_actors()  # Such as of an earlier attempt of this trial.
            train_on_workers(
                config,
                folder,
                context.trial_run(point["trial_id"], config),
                storage=context.storage,
                max_failures=context.max_failures,
                callbacks=[TuneReportCallback(), *ends_hung],
            )

    return trial


def train_on_workers(
    config: ExperimentConfig,
    folder: TrialFolder,
    trial_run: TrialRun,
    *,
    storage: Path,
    max_failures: int,
    callbacks: list[Any],
) -> None:
    """Train the folder's trial on the Ray Train workers that its config asks for.

    Args:
        config: That of the folder, from which the workers read it.
        storage: Holds the lists of data sets' files.

    Raises:
        FloatingPointError: The training diverged.
        ConfigError: The config does not fit the data.
        BrokenFileError: A file of the folder is malformed.
        MemoryError: The workers lack memory.
        TimeoutError: The workers reported nothing for too long.
        WorkersFailedError: The workers failed otherwise, more often than `max_failures`.
    """
    from ray.exceptions import RayActorError
    from ray.train.v2.api.exceptions import TrainingFailedError

    try:
        _trainer(config, folder, trial_run, storage, max_failures, callbacks).fit()
    except (TrainingFailedError, RayActorError) as error:
        kept = (*FINAL_ERRORS, MemoryError, TimeoutError)
        raise training_error(error, kept, folder.log_path) from None  # That log has the worker's traceback.


def _trainer(
    config: ExperimentConfig,
    folder: TrialFolder,
    trial_run: TrialRun,
    storage: Path,
    max_failures: int,
    callbacks: list[Any],
) -> Any:
    """Return Ray's trainer of the trial."""
    import ray.train
    from ray.train.torch import TorchTrainer

    from orchestrator.data.index import file_index_in
    from orchestrator.launch.train_callback import RaiseFinalErrors
    from trainables.worker import train_worker

    trainer = TorchTrainer(
        train_worker,
        train_loop_config={
            "folder": str(folder.path),
            "on_report": PushEpochs(trial_run),
            "file_index": file_index_in(storage),
        },
        scaling_config=scaling(config.resources),
        run_config=ray.train.RunConfig(
            name=folder.path.name,
            storage_path=str(folder.path.parent.parent / "ray_train"),
            failure_config=ray.train.FailureConfig(max_failures=max_failures, controller_failure_limit=3),
            callbacks=[*callbacks, RaiseFinalErrors(FINAL_ERRORS)],
        ),
    )
    trainer._register_sigint_handler = lambda _: None  # Its handler of Ctrl-C exits with code 0.
    return trainer


@dataclass(slots=True)
class PushEpochs:
    """A picklable function of a row that pushes a trial's folder to MLflow after each epoch.

    The last report repeats the last epoch's and is not pushed; what records the trial's end pushes it.
    """

    trial_run: TrialRun
    epoch: int = 0

    def __call__(self, row: Row) -> None:
        if row["epoch"] > self.epoch:
            self.epoch = int(row["epoch"])
            self.trial_run.push()


def scaling(resources: Resources) -> Any:
    """Return Ray Train's scaling config for `resources`."""
    import ray.train

    per_worker = {"CPU": resources.cpus} | ({"GPU": resources.gpus} if resources.gpus else {})
    return ray.train.ScalingConfig(
        num_workers=max(1, resources.workers), use_gpu=resources.gpus > 0, resources_per_worker=per_worker
    )


def trial_function(config: ExperimentConfig, context: SweepContext) -> TrialFunction:
    """Return the function that runs a trial of `config`'s resources."""
    return distributed_trial(context) if config.resources.workers else in_process_trial(context)
