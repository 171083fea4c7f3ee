"""Optuna's samplers, such that a sweep that was interrupted or extended draws the points of one that was not."""

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from orchestrator.files.sweep_config import SweepConfig
from search_spaces import SamplerName, Space, grid_points, num_first_points, qmc_points
from trainables.training.seeding import derive_seed

TRIAL_ID = "campaign.trial_id"
NUM_RANDOM = 8
"""Trials that are drawn at random before results count; for NSGA-III a generation, of which the first is random."""


def next_id(optuna_study: optuna.Study) -> str:
    """Return the id after the last one in use."""
    ids = (trial.user_attrs.get(TRIAL_ID) for trial in optuna_study.get_trials(deepcopy=False))
    return f"{max((int(trial_id) for trial_id in ids if trial_id), default=-1) + 1:04d}"


def sampler_of(config: SweepConfig, space: Space) -> "TrialSeededSampler":
    """Return the sampler of a sweep; the points of a grid and of quasi-Monte Carlo are fixed beforehand."""
    points: list[FrozenTrial] = []
    if config.sampler == "grid":
        points = grid_points(space, seed=config.seed)
    if config.sampler == "qmc":
        points = qmc_points(space, config.num_trials, seed=config.seed)
    return TrialSeededSampler(config.sampler, config.seed, points=points, num_first=num_first_points(space))


class TrialSeededSampler(BaseSampler):
    """A new sampler for each trial, whose random numbers come from the sweep's seed and the trial's id.

    All else that a sampler needs is in Optuna's journal: results, generations and the state of CMA-ES.
    """

    def __init__(self, kind: SamplerName, seed: int, *, points: Sequence[FrozenTrial] = (), num_first: int = 0) -> None:
        """Args:
        kind: Whose points are sampled.
        seed: The sweep's.
        points: Those of a grid or of quasi-Monte Carlo.
        num_first: How many first points come before them.
        """
        self._kind = kind
        self._seed = seed
        self._points = points
        self._num_first = num_first
        self._number = 0
        self._sampler: BaseSampler = RandomSampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._number = int(trial.user_attrs.get(TRIAL_ID) or next_id(study))
        seed = derive_seed(self._seed, self._number) % 2**32
        place = self._number - self._num_first
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._sampler = MAKERS[self._kind](seed)
        if 0 <= place < len(self._points):
            self._sampler = PointSampler(self._points[place], self._sampler)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if self._kind == "cmaes":  # It adds Optuna's number to its seed, which an interruption moves on.
            trial = copy.copy(trial)
            trial.number = self._number
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)


class PointSampler(BaseSampler):
    """Gives a point that is known beforehand, and what that lacks from another sampler."""

    def __init__(self, point: FrozenTrial, other: BaseSampler) -> None:
        self._point = point
        self._other = other

    def infer_relative_search_space(self, *_: object) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, *_: object) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if self._point.distributions.get(param_name) == param_distribution:
            return self._point.params[param_name]
        return self._other.sample_independent(study, trial, param_name, param_distribution)


def _tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed, n_startup_trials=NUM_RANDOM, multivariate=True, group=True)


def _gp(seed: int) -> BaseSampler:
    return GPSampler(seed=seed, n_startup_trials=NUM_RANDOM, warn_independent_sampling=False)


def _cmaes(seed: int) -> BaseSampler:
    return CmaEsSampler(seed=seed, warn_independent_sampling=False)


def _nsga3(seed: int) -> BaseSampler:
    return NSGAIIISampler(seed=seed, population_size=NUM_RANDOM)


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


MAKERS: dict[SamplerName, Callable[[int], BaseSampler]] = {
    "cmaes": _cmaes,
    "gp": _gp,
    "grid": _random,
    "nsga3": _nsga3,
    "qmc": _random,
    "random": _random,
    "tpe": _tpe,
}
