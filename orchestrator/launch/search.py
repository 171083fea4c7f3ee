"""A sweep's search: Optuna's study lies in the sweep's folder, and each of its trials gets a trial folder."""

import math
import warnings
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from ray.tune.search.optuna import OptunaSearch

from orchestrator.files.journal import repair_journal
from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.sweep_folder import SweepFolder
from search_spaces import Space, suggest_point
from trainables.config import ConfigError, current_name
from trainables.training.seeding import derive_seed

TRIAL_ID = "campaign.trial_id"
MIN_TRIALS_FOR_IMPORTANCE = 10


class TrialSampler:
    """The space as OptunaSearch calls it: sample a point, validate it, make the trial's folder.

    Tune only ever sees the trial's id: everything else is read from the folder.
    """

    def __init__(self, sweep: SweepFolder, config: SweepConfig, space: Space) -> None:
        self._sweep = sweep
        self._config = config
        self._space = space

    def __call__(self, trial: Any) -> dict[str, Any]:
        self._sweep.check_present()
        trial_id = trial.user_attrs.get(TRIAL_ID) or next_id(trial.study)
        trial.set_user_attr(TRIAL_ID, trial_id)
        point = suggest_point(self._space, trial)
        self._sweep.trial(trial_id).claim(self._config.experiment(point))
        return {"trial_id": trial_id}


class TrialSeededSampler(BaseSampler):
    """TPE whose random numbers come from the seed and the trial's id.

    A sweep that was interrupted therefore draws the points of one that was not, given the same history.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tpe = _tpe(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        trial_id = trial.user_attrs.get(TRIAL_ID) or next_id(study)
        self._tpe = _tpe(derive_seed(self._seed, int(trial_id)) % 2**32)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)


def build_search(sweep: SweepFolder, config: SweepConfig, space: Space) -> OptunaSearch:
    """Return the searcher; trials that an interrupted driver left unfinished are queued again under their old ids."""
    storage = optuna_storage(sweep)
    optuna_study = open_optuna_study(sweep, config, storage)
    _requeue(optuna_study, sweep)
    for point in space.first_points[: config.num_trials]:
        optuna_study.enqueue_trial(dict(point), {TRIAL_ID: next_id(optuna_study)}, skip_if_exists=True)
    _close_interrupted_trials(optuna_study, sweep, config)
    return OptunaSearch(
        TrialSampler(sweep, config, space),
        metric=[goal.metric for goal in config.goals],
        mode=[goal.direction for goal in config.goals],
        sampler=TrialSeededSampler(config.seed),
        study_name=config.name,
        storage=storage,
    )


def optuna_storage(sweep: SweepFolder) -> BaseStorage:
    """Return the journal in the sweep's folder, repaired after a crash; the caller holds the sweep."""
    repair_journal(sweep.study_path)
    return JournalStorage(JournalFileBackend(str(sweep.study_path)))


def open_optuna_study(sweep: SweepFolder, config: SweepConfig, storage: BaseStorage | None = None) -> optuna.Study:
    """Return the sweep's Optuna study; it is created where there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=storage or optuna_storage(sweep),
        study_name=config.name,
        directions=["maximize" if goal.direction == "max" else "minimize" for goal in config.goals],
        load_if_exists=True,
    )


def importances(optuna_study: optuna.Study) -> dict[str, float]:
    """Return setting -> share in reaching the best result or the Pareto front; empty after too few trials."""
    trials = optuna_study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(trials) < MIN_TRIALS_FOR_IMPORTANCE or not any(trial.params for trial in trials):
        return {}
    shares = optuna.importance.get_param_importances(optuna_study)
    return {current_name(name): share for name, share in shares.items()}


def check_optuna_study(sweep: SweepFolder, config: SweepConfig) -> None:
    """Check that the Optuna study knows all of the sweep's trials, because it numbers the next ones.

    Raises:
        ConfigError: It does not, and the message names the trials; or another process runs the sweep.
        BrokenFileError: The study's file was changed from outside.
    """
    trial_ids = sweep.trial_ids()
    if not trial_ids:
        return
    with sweep.locked():
        known = {_id(trial) for trial in open_optuna_study(sweep, config).trials}
    unknown = [trial_id for trial_id in trial_ids if trial_id not in known]
    if unknown:
        raise ConfigError(
            f"{sweep.study_path} does not hold trial {', '.join(unknown)} of sweep {config.name}; the search cannot "
            "continue without its history: restore that file, or start another sweep under another --name"
        )


def _requeue(optuna_study: optuna.Study, sweep: SweepFolder) -> None:
    """Put the points of all trials without an outcome back in the queue, under their old ids.

    A trial that was cut off before it had an id and a point is drawn anew.
    """
    waiting = {_id(trial) for trial in optuna_study.get_trials(states=(TrialState.WAITING,))}
    unfinished = set(sweep.unfinished())
    left = {
        _id(trial): trial
        for trial in optuna_study.trials
        if _id(trial) in unfinished or (trial.state == TrialState.RUNNING and sweep.trial(_id(trial)).outcome() is None)
    }
    for trial_id, trial in left.items():
        # A trial that was cut off before it was sampled has only what it was queued with.
        point = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        # Under the old name and today's of a renamed setting: the space may suggest it by either.
        point |= {current_name(name): value for name, value in point.items()}
        if trial_id not in waiting and (point or TRIAL_ID in trial.user_attrs):
            optuna_study.enqueue_trial(point, user_attrs={TRIAL_ID: trial_id})


def _close_interrupted_trials(optuna_study: optuna.Study, sweep: SweepFolder, config: SweepConfig) -> None:
    """Report trials that the last driver left running to Optuna: values of those that ended, failure of the rest."""
    for trial in optuna_study.get_trials(states=(TrialState.RUNNING,)):
        values = _values(sweep, config, _id(trial))
        optuna_study.tell(trial.number, values, state=TrialState.COMPLETE if values else TrialState.FAIL)


def next_id(optuna_study: optuna.Study) -> str:
    """Return the id after the last one in use."""
    ids = (trial.user_attrs.get(TRIAL_ID) for trial in optuna_study.get_trials(deepcopy=False))
    return f"{max((int(trial_id) for trial_id in ids if trial_id), default=-1) + 1:04d}"


def _id(trial: Any) -> str:
    """Return the id of an Optuna trial; one that an earlier version queued has its number until it starts."""
    return str(trial.user_attrs.get(TRIAL_ID) or f"{trial.number:04d}")


def _values(sweep: SweepFolder, config: SweepConfig, trial_id: str) -> list[float] | None:
    folder = sweep.trial(trial_id)
    outcome = folder.outcome()
    if outcome is None or outcome.status == "failed":
        return None
    metrics = {**(folder.rows() or [{}])[-1], **(folder.evaluation() or {})}
    values = [float(metrics.get(goal.metric, math.nan)) for goal in config.goals]
    return values if all(map(math.isfinite, values)) else None


def _tpe(seed: int) -> optuna.samplers.TPESampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=8, multivariate=True, group=True)
