"""A sweep's search: Optuna's study in the sweep's folder, and how its trials become folders of ours."""

import warnings
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from ray.tune.search.optuna import OptunaSearch

from orchestrator.sweep_config import SweepConfig
from orchestrator.sweep_folder import SweepFolder
from search_spaces import Space
from trainables.training.seeding import derive_seed

TRIAL_ID = "campaign.trial_id"


class FolderOfPoint:
    """The space as OptunaSearch calls it: sample a point, validate it, make the trial's folder.

    Tune only ever sees the trial's id: everything else is read from the folder.
    """

    def __init__(self, sweep: SweepFolder, config: SweepConfig, space: Space) -> None:
        self._sweep = sweep
        self._config = config
        self._space = space

    def __call__(self, trial: Any) -> dict[str, Any]:
        self._space.suggest(trial)
        trial_id = trial.user_attrs.get(TRIAL_ID) or f"{trial.number:04d}"
        trial.set_user_attr(TRIAL_ID, trial_id)
        self._sweep.trial(trial_id).claim(self._config.experiment(dict(trial.params)))
        return {"trial_id": trial_id}


def build_search(sweep: SweepFolder, config: SweepConfig, space: Space) -> OptunaSearch:
    """Return the searcher, with the trials that an interrupted driver left waiting under their old ids."""
    storage = study_storage(sweep)
    study = open_study(sweep, config, storage)
    if not study.trials:
        for point in space.first_points:
            study.enqueue_trial(dict(point))
    _requeue(study, sweep, config)
    return OptunaSearch(
        FolderOfPoint(sweep, config, space),
        metric=[goal.metric for goal in config.goals],
        mode=[goal.direction for goal in config.goals],
        sampler=_sampler(derive_seed(config.seed, len(study.trials)) % 2**32),
        study_name=config.name,
        storage=storage,
    )


def study_storage(sweep: SweepFolder) -> BaseStorage:
    """Return the journal in the sweep's folder."""
    return JournalStorage(JournalFileBackend(str(sweep.study_path)))


def open_study(sweep: SweepFolder, config: SweepConfig, storage: BaseStorage | None = None) -> optuna.Study:
    """Return the sweep's study, made if there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=storage or study_storage(sweep),
        study_name=config.name,
        directions=["maximize" if goal.direction == "max" else "minimize" for goal in config.goals],
        load_if_exists=True,
    )


def _requeue(study: optuna.Study, sweep: SweepFolder, config: SweepConfig) -> None:
    """Settle what the last driver left running: tell what ended, put the rest back in the queue."""
    waiting = {trial.user_attrs.get(TRIAL_ID) for trial in study.get_trials(states=(TrialState.WAITING,))}
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        trial_id = trial.user_attrs.get(TRIAL_ID)
        values = _values(sweep, config, trial_id) if trial_id else None
        study.tell(trial.number, values, state=TrialState.COMPLETE if values else TrialState.FAIL)
        if values is None and trial.params and not _has_ended(sweep, trial_id) and trial_id not in waiting:
            _enqueue(study, trial.params, trial_id)


def _enqueue(study: optuna.Study, params: Mapping[str, Any], trial_id: str | None) -> None:
    study.enqueue_trial(dict(params), user_attrs={TRIAL_ID: trial_id} if trial_id else None)


def _has_ended(sweep: SweepFolder, trial_id: str | None) -> bool:
    return trial_id is not None and sweep.outcome(trial_id) is not None


def _values(sweep: SweepFolder, config: SweepConfig, trial_id: str) -> list[float] | None:
    outcome = sweep.outcome(trial_id)
    if outcome is None or outcome["status"] == "failed":
        return None
    folder = sweep.trial(trial_id)
    metrics = {**folder.rows()[-1], **(folder.evaluation() or {})}
    values = [metrics.get(goal.metric) for goal in config.goals]
    return None if any(value is None for value in values) else [float(value) for value in values if value is not None]


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=8, multivariate=True, group=True)
