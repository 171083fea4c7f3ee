"""Run the remaining trials of a sweep: the one function behind sweep, resume, extend and promote."""

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ray.tune

from orchestrator.cluster.capacity import Capacity, capacity, driver_demand
from orchestrator.files.provenance import Provenance, collect_provenance, read_provenance, record_provenance
from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.chosen import evaluate_chosen
from orchestrator.launch.progress import EpochProgress
from orchestrator.launch.ray_start import start_ray
from orchestrator.launch.search import build_search, importances, open_optuna_study
from orchestrator.launch.trials import SweepContext, sweep_context, trial_function
from orchestrator.launch.tune_callback import TrialOutcomeCallback
from orchestrator.reports.images import draw_contact_sheet
from orchestrator.reports.sweep_page import write_page
from orchestrator.results.trial_rows import TrialRow, best, ranked, summary, trial_rows
from orchestrator.tracking import (
    Store,
    close_sweep_run,
    ids_in_mlflow,
    log_model,
    set_champion_alias,
    sync,
    trials_left_open,
    uninterrupted,
    write_study,
    write_summary,
)
from trainables.json_file import BrokenFileError
from trainables.trial import load_model

logger = logging.getLogger(__name__)

TRIALS_ON_SHEET = 5
"""How many of the best trials show their CAM panels on the sweep's run."""


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """What a call of `run_sweep` left: the JSON document, and whether every trial has ended well."""

    document: dict[str, Any]
    unfinished: int
    failed: int
    interrupted: bool = False
    """Whether a stop signal ended it."""


def run_sweep(sweep: SweepFolder, store: Store, *, address: str | None = None) -> SweepOutcome:
    """Run the sweep's remaining trials to their ends, then write its summary.

    A sweep whose driver died or was interrupted continues: trials with an outcome are not repeated, trials that had
    started continue under their ids, and the search continues with its history. A KeyboardInterrupt ends the trials;
    the summary is written nevertheless.

    Raises:
        ConfigError: A trial does not fit on the cluster, or another process runs the sweep.
        StoreError: The MLflow store cannot be used.
        FolderGoneError: The sweep's folder was removed or moved meanwhile.
    """
    config = sweep.config()
    with sweep.locked():
        sweep.restore_rows()
        record_provenance(sweep.path)
        context = _open_or_close(sweep, store, collect_provenance())
        is_left, interrupted = sweep.num_left(config) > 0, False
        try:
            if is_left:
                with start_ray(address) as nodes:
                    room = capacity(
                        config.experiment().resources, nodes, limit=config.max_concurrent, grows=address is not None
                    )
                    _run_trials(sweep, config, context, room)
                    _evaluate_chosen(sweep, context, address)
            else:
                _evaluate_chosen(sweep, context, address)
        except KeyboardInterrupt:
            interrupted = True
            ray.shutdown()  # Ends the trials: none may push once its run is closed.
        finally:
            sweep.check_present()
            run = uninterrupted(partial(conclude, sweep, config, context, move_champion=is_left))
    return replace(run, interrupted=interrupted)


def _evaluate_chosen(sweep: SweepFolder, context: SweepContext, address: str | None) -> None:
    for trial_id in evaluate_chosen(sweep, address=address):
        context.trial_run(trial_id, sweep.trial(trial_id).config()).push()


def _open_or_close(sweep: SweepFolder, store: Store, command: Provenance) -> SweepContext:
    """Open the sweep's run; one that a KeyboardInterrupt falls into is closed again."""
    open_run = partial(sweep_context, sweep, store, command, opens_run=True)
    try:
        return uninterrupted(open_run)
    except KeyboardInterrupt:
        parent_run_id = open_run().identity.parent_run_id
        assert parent_run_id is not None
        close_sweep_run(store, parent_run_id, "KILLED")
        raise


def sync_sweep(sweep: SweepFolder, store: Store) -> list[str]:
    """Send to MLflow what it misses of a sweep; return the trials that it still lacks.

    Raises:
        ConfigError: A process runs the sweep.
        StoreError: The MLflow store cannot be used.
    """
    config = sweep.config()
    with sweep.locked():
        sweep.check_trials()
        sweep.restore_rows()
        context = _open_or_close(sweep, store, read_provenance(sweep.path))
        try:
            left = sync(context.trial_run(trial_id, sweep.trial(trial_id).config()) for trial_id in sweep.trial_ids())
        finally:
            uninterrupted(partial(conclude, sweep, config, context, move_champion=False))
    return left


def _run_trials(sweep: SweepFolder, config: SweepConfig, context: SweepContext, room: Capacity) -> None:
    experiment = config.experiment()
    logger.info("%s", room.describe())
    listener = EpochProgress(
        num_trials=config.num_trials,
        epochs=experiment.training.epochs,
        shown=tuple(goal.metric for goal in config.goals),
        done={trial_id: sweep.epochs_done(trial_id) for trial_id in sweep.trial_ids()},
        epochs_of=sweep.epochs,
    )
    function = ray.tune.with_resources(trial_function(experiment, context), _tune_resources(config, room))
    with listener, TrialOutcomeCallback(sweep, context, listener) as outcome_callback:
        ray.tune.Tuner(
            function,
            param_space=_fixed_trials(sweep, config),
            tune_config=_tune_config(sweep, config, room),
            run_config=ray.tune.RunConfig(
                name="tune",
                storage_path=str(sweep.path),
                verbose=0,
                failure_config=ray.tune.FailureConfig(max_failures=config.max_failures),
                callbacks=[outcome_callback],
            ),
        ).fit()


def _tune_config(sweep: SweepFolder, config: SweepConfig, room: Capacity) -> ray.tune.TuneConfig:
    search = {}
    if config.space is not None:
        search = {
            "search_alg": build_search(sweep, config, config.searched_space),
            "num_samples": config.num_trials - sweep.num_finished(),
        }
    return ray.tune.TuneConfig(
        **search,
        scheduler=build_scheduler(config),
        max_concurrent_trials=room.concurrent,
        reuse_actors=True,
        trial_dirname_creator=lambda trial: f"{trial.trial_id}-{trial.config['trial_id']}",
    )


def _fixed_trials(sweep: SweepFolder, config: SweepConfig) -> dict[str, Any]:
    """Return the grid of a sweep without a search: the trials whose folders exist.

    A study's trials are ordered by seed, so that the first seed's arms can be compared early.
    """
    if config.space is not None:
        return {}
    left = sweep.unfinished()
    order = [trial_id for trial_id in config.study.trials if trial_id in left] if config.study else left
    return {"trial_id": ray.tune.grid_search(order)}


def build_scheduler(config: SweepConfig) -> ray.tune.schedulers.TrialScheduler | None:
    """Return ASHA, which compares trials by our epoch count after a quarter and a half of the epochs.

    Its last rung and its limit lie past the last epoch, so a trial that reaches its end is evaluated.
    """
    if not config.asha:
        return None
    (goal,) = config.goals
    epochs = config.experiment().training.epochs
    return ray.tune.schedulers.ASHAScheduler(
        time_attr="epoch",
        metric=goal.metric,
        mode=goal.direction,
        max_t=epochs + 1,
        grace_period=(epochs + 1) / 4,
        reduction_factor=2,
    )


def _tune_resources(config: SweepConfig, room: Capacity) -> Any:
    """Return what Tune reserves for a trial: all of an in-process one, or the driver's share."""
    if not config.experiment().resources.workers:
        return {"cpu" if name == "CPU" else "gpu": need for name, need in room.demand.items()}
    ((name, share),) = driver_demand(room.nodes).items()
    return ray.tune.PlacementGroupFactory([{name: share}])


def conclude(sweep: SweepFolder, config: SweepConfig, context: SweepContext, *, move_champion: bool) -> SweepOutcome:
    """Write the summary on the parent run, set the champion alias, and say what is left.

    Args:
        move_champion: Whether the alias returns to a winner that had it before another sweep's winner.
    """
    parent_run_id = context.identity.parent_run_id
    assert parent_run_id is not None
    _close_trials(sweep, context)
    rows = trial_rows(sweep, ids_in_mlflow(context.store, sweep).trials)
    winners = best(rows, config.goals)
    ranking = ranked(rows, config.goals)
    objectives = {goal.metric: goal.direction for goal in config.goals}
    drawn = [row["trial_id"] for row in ranking[:TRIALS_ON_SHEET]]
    unfinished = sweep.num_left(config)
    write_summary(
        context.store,
        parent_run_id,
        rows,
        objectives,
        ranking=ranking,
        page=write_page(ranking, winners, objectives, _importances(sweep, config)),
        sheet=draw_contact_sheet({trial_id: sweep.trial(trial_id).path for trial_id in drawn}),
        ended_ms=sweep.result_time_ms(),
    )
    if sweep.result_path.exists():
        write_study(context.store, parent_run_id, sweep.path, step=len(rows))
    if winners and not unfinished:
        _set_champion_alias(sweep, config, context, winners[0], again=move_champion)
    close_sweep_run(context.store, parent_run_id, "KILLED" if unfinished else "FINISHED")
    document = summary(sweep, rows, experiment_id=context.identity.experiment_id, parent_run_id=parent_run_id)
    return SweepOutcome(document, unfinished, failed=sum(row["status"] == "failed" for row in rows))


def _close_trials(sweep: SweepFolder, context: SweepContext) -> None:
    """End the runs of trials that stopped halfway, and of those that ended when their driver was killed."""
    unfinished = sweep.unfinished()
    for trial_id in unfinished:
        folder = sweep.trial(trial_id)
        if folder.rows():
            context.trial_run(trial_id, folder.config()).finish("KILLED")
    ended = set(sweep.trial_ids()) - set(unfinished)
    left = [trial_id for trial_id in trials_left_open(context.store, sweep) if trial_id in ended]
    sync(context.trial_run(trial_id, sweep.trial(trial_id).config()) for trial_id in left)


def _importances(sweep: SweepFolder, config: SweepConfig) -> dict[str, float]:
    return importances(open_optuna_study(sweep, config)) if config.space is not None else {}


def _set_champion_alias(
    sweep: SweepFolder, config: SweepConfig, context: SweepContext, winner: TrialRow, *, again: bool
) -> None:
    import torch

    folder, run_id = sweep.trial(winner["trial_id"]), winner["run_id"]
    try:
        model = load_model(folder, torch.device("cpu"))
    except BrokenFileError as error:
        logger.warning("the best trial is not registered as a model: %s", error)
        return
    if run_id and log_model(context.store, run_id, folder, model):
        set_champion_alias(context.store, config.campaign, run_id, again=again)
