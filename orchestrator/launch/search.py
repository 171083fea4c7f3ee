"""A sweep's search: Optuna's study lies in the sweep's folder, and each of its trials gets a trial folder."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from orchestrator.files.journal import repair_journal
from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.samplers import TRIAL_ID, next_id, sampler_of
from orchestrator.launch.search_end import SearchEnd
from orchestrator.results.trial_rows import excess_of
from search_spaces import Constraint, Space, suggest_point
from trainables.config import ConfigError, current_name
from trainables.outcome import result_row

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


class SweepSearch(OptunaSearch):
    """Optuna's study as Tune's searcher, with constraints, and with an end before the last trial."""

    def __init__(self, sweep: SweepFolder, config: SweepConfig, space: Space, **options: Any) -> None:
        super().__init__(
            TrialSampler(sweep, config, space),
            metric=[goal.metric for goal in config.goals],
            mode=[goal.direction for goal in config.goals],
            study_name=config.name,
            **options,
        )
        self._sweep = sweep
        self._constraints = config.constraints
        self._end = SearchEnd(sweep, config)

    def suggest(self, trial_id: str) -> Any:
        """Return the next point; where the search has ended, only of a trial that had started."""
        if self._end.is_reached() and not next_is_started(self._ot_study, self._sweep):
            return Searcher.FINISHED
        with warnings.catch_warnings():
            # Ray warns where a point takes a second, as on a busy disk: the trial's folder is made with it.
            warnings.filterwarnings("ignore", "Define-by-run function", UserWarning)
            return super().suggest(trial_id)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._end.note_time()
        super().on_trial_result(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Inform Optuna; a trial that lacks what a constraint bounds counts as failed."""
        self._end.note_time()
        is_whole = set_constraints(self._ot_trials[trial_id], self._constraints, result or {})
        super().on_trial_complete(trial_id, result if is_whole else None, error or not is_whole)


def next_is_started(optuna_study: optuna.Study, sweep: SweepFolder) -> bool:
    """Move queued trials that have not started behind those that have; return whether there is one of these."""
    waiting = optuna_study.get_trials(states=(TrialState.WAITING,))
    started = set(sweep.unfinished()) & {_id(trial) for trial in waiting}
    for trial in waiting:
        if not started or _id(trial) in started:
            break
        asked = optuna_study.ask()
        optuna_study.add_trial(
            create_trial(state=TrialState.WAITING, user_attrs=trial.user_attrs, system_attrs=trial.system_attrs)
        )
        optuna_study.tell(asked, state=TrialState.FAIL)
    return bool(started)


def set_constraints(trial: optuna.Trial, constraints: Sequence[Constraint], metrics: Mapping[str, Any]) -> bool:
    """Give Optuna how far the trial lies beyond its constraints; False where one of the metrics is not known."""
    excess = {str(constraint): excess_of(constraint, metrics) for constraint in constraints}
    known = {key: value for key, value in excess.items() if value is not None}
    if len(known) < len(excess):
        return False
    for key, value in known.items():
        trial.set_constraint(key, value)
    return True


def build_search(sweep: SweepFolder, config: SweepConfig, space: Space) -> SweepSearch:
    """Return the searcher; trials that an interrupted driver left unfinished are queued again under their old ids."""
    storage = optuna_storage(sweep)
    optuna_study = open_optuna_study(sweep, config, storage)
    _requeue(optuna_study, sweep)
    for point in space.first_points[: config.num_trials]:
        optuna_study.enqueue_trial(dict(point), {TRIAL_ID: next_id(optuna_study)}, skip_if_exists=True)
    _close_interrupted_trials(optuna_study, sweep, config)
    return SweepSearch(sweep, config, space, sampler=sampler_of(config, space), storage=storage)


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
            # What a sampler noted of the trial, such as its generation, holds for it under its new number too.
            noted = trial.system_attrs if trial.state == TrialState.RUNNING else {}
            attrs = {**noted, "fixed_params": point}
            optuna_study.add_trial(
                create_trial(state=TrialState.WAITING, user_attrs={TRIAL_ID: trial_id}, system_attrs=attrs)
            )


def _close_interrupted_trials(optuna_study: optuna.Study, sweep: SweepFolder, config: SweepConfig) -> None:
    """Report trials that the last driver left running to Optuna: values of those that ended, failure of the rest."""
    for frozen in optuna_study.get_trials(states=(TrialState.RUNNING,)):
        trial, metrics = optuna.trial.Trial(optuna_study, frozen._trial_id), _metrics(sweep, _id(frozen))
        values = [float(metrics.get(goal.metric, math.nan)) for goal in config.goals]
        is_whole = all(map(math.isfinite, values)) and set_constraints(trial, config.constraints, metrics)
        state = TrialState.COMPLETE if is_whole else TrialState.FAIL
        optuna_study.tell(trial, values if is_whole else None, state=state)


def _id(trial: Any) -> str:
    """Return the id of an Optuna trial; one that an earlier version queued has its number until it starts."""
    return str(trial.user_attrs.get(TRIAL_ID) or f"{trial.number:04d}")


def _metrics(sweep: SweepFolder, trial_id: str) -> Mapping[str, Any]:
    """Return the last metrics of a trial; none where it failed or has not ended."""
    folder = sweep.trial(trial_id)
    outcome = folder.outcome()
    if outcome is None or outcome.status == "failed":
        return {}
    rows = folder.rows()
    # A trial that the scheduler stopped had reported its last epoch, and not the one that it keeps.
    row = result_row(rows) if outcome.status == "completed" else (rows or [{}])[-1]
    return {**row, **(folder.evaluation() or {})}
