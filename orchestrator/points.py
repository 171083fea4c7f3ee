"""Points of a sweep's space, sampled and checked without running any."""

from typing import Any

import optuna

from orchestrator.sweep_config import SweepConfig
from search_spaces import Space, find_space, overrides_of
from trainables.config import ConfigError

NUM_CHECKED = 8
"""How many points are sampled, on top of the space's first ones, before a sweep starts."""


def check_points(config: SweepConfig) -> None:
    """Check the space's first points and a few sampled ones; ConfigError if one is no valid config."""
    assert config.space is not None
    sample_points(config, len(find_space(config.space).first_points) + NUM_CHECKED)


def sample_points(config: SweepConfig, num_points: int) -> list[dict[str, Any]]:
    """Sample the space at random, its first points first, and validate each config.

    Raises:
        ConfigError: A point is no valid config, or the space's function fails.
    """
    assert config.space is not None
    space = find_space(config.space)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=config.seed))
    for first in space.first_points:
        study.enqueue_trial(dict(first))
    return [_point(config, space, study.ask()) for _ in range(num_points)]


def _point(config: SweepConfig, space: Space, trial: optuna.Trial) -> dict[str, Any]:
    try:
        space.suggest(trial)
    except Exception as error:
        raise ConfigError(f"space {space.name}: suggest failed with {type(error).__name__}: {error}") from error
    point = overrides_of(trial.params)
    config.experiment(point)
    return point
