"""Which sampler fits a space, and the points of those samplers that need no results: the grid and quasi-Monte Carlo."""

import warnings
from typing import TYPE_CHECKING, Any

from search_spaces.space import Space, draw_distributions, draw_points, overrides_of, suggest_point
from trainables.config import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

NUM_DRAWN = 64
"""How many points are drawn at random to find out which parameters a space has."""
MAX_GRID = 1000
"""Points of a grid; more are refused."""


def check_sampler(space: Space) -> None:
    """Check that the space's sampler can search it; ConfigError says what does not fit, and what would."""
    if space.sampler == "cmaes" and len(space.goals) > 1:
        raise ConfigError(
            f"space {space.name}: sampler cmaes optimises one goal, but there are {len(space.goals)}: "
            f"{', '.join(map(str, space.goals))}; take sampler tpe, gp or nsga3, or keep one goal"
        )
    if space.sampler == "grid":
        _check_discrete(space)
    if space.sampler in {"cmaes", "gp", "nsga3"}:
        _check_shared(space)


def grid_points(space: Space, *, seed: int) -> "list[FrozenTrial]":
    """Return every combination of the space's values that is no first point, shuffled; ConfigError if not finite."""
    import optuna

    check_sampler(space)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=optuna.samplers.BruteForceSampler(seed=seed))

    def objective(trial: optuna.Trial) -> float:
        suggest_point(space, trial)
        return 0.0

    study.optimize(objective, n_trials=MAX_GRID + 1)
    if len(study.trials) > MAX_GRID:
        raise ConfigError(
            f"space {space.name}: sampler grid would try more than {MAX_GRID} combinations; give the parameters fewer "
            "values, or take sampler random or qmc"
        )
    return [trial for trial in study.trials if trial.params not in space.first_points]


def grid_size(space: Space, *, seed: int) -> int:
    """Return how many trials a grid has, with the first points; ConfigError if it is not finite."""
    return num_first_points(space) + len(grid_points(space, seed=seed))


def planned_points(space: Space, num_points: int, *, seed: int) -> list[dict[str, Any]]:
    """Return points as a sweep may draw them, first points first: those of a grid, or else random ones.

    Raises:
        ConfigError: As for `draw_points`.
    """
    if space.sampler != "grid":
        return draw_points(space, num_points, seed=seed)
    first = draw_points(space, len(space.first_points), seed=seed)
    return [*first, *(overrides_of(trial.params) for trial in grid_points(space, seed=seed))][:num_points]


def check_grid(space: Space, num_trials: int, *, seed: int) -> None:
    """Check that the grid has as many points; ConfigError says how many there are."""
    size = grid_size(space, seed=seed)
    if num_trials > size:
        raise ConfigError(
            f"space {space.name}: sampler grid has {size} points, first points included, and {num_trials} trials were "
            "asked for"
        )


def num_first_points(space: Space) -> int:
    """Return how many of the first points differ: Optuna queues each once."""
    return len({repr(sorted(point.items())) for point in space.first_points})


def qmc_points(space: Space, num_points: int, *, seed: int) -> "list[FrozenTrial]":
    """Return points of a scrambled Sobol sequence over all parameters of the space, whatever their conditions."""
    import optuna

    union = _union(space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.QMCSampler(scramble=True, seed=seed, warn_independent_sampling=False)
    study = optuna.create_study(sampler=sampler)
    study.tell(study.ask(union), 0.0)  # Optuna draws the first at random, and takes the space from it.
    for _ in range(num_points):
        study.ask(union)
    return study.trials[1:]


def _union(space: Space) -> "dict[str, BaseDistribution]":
    """Return the parameters that some point has, in the order of their names; not those whose range changes."""
    drawn = draw_distributions(space, NUM_DRAWN)
    ranges = {name: [each[name] for each in drawn if name in each] for each in drawn for name in each}
    return {
        name: first
        for name, (first, *others) in sorted(ranges.items())
        if not first.single() and all(other == first for other in others)
    }


def _check_discrete(space: Space) -> None:
    from optuna.distributions import FloatDistribution

    continuous = [
        name
        for name, parameter in _all(space).items()
        if isinstance(parameter, FloatDistribution) and parameter.step is None and not parameter.single()
    ]
    if continuous:
        raise ConfigError(
            f"space {space.name}: sampler grid tries every combination, but {', '.join(continuous)} can take any value "
            "of a range; give a step or choices, or take sampler random or qmc"
        )


def _check_shared(space: Space) -> None:
    """Check that there are parameters which every point has: the others, these samplers draw at random."""
    from optuna.distributions import CategoricalDistribution

    drawn = draw_distributions(space, NUM_DRAWN)
    needs_number = space.sampler == "cmaes"
    shared = [
        name
        for name, parameter in drawn[0].items()
        if not parameter.single()
        and all(other.get(name) == parameter for other in drawn)
        and not (needs_number and isinstance(parameter, CategoricalDistribution))
    ]
    if not shared:
        what = "numbers" if needs_number else "parameters"
        raise ConfigError(
            f"space {space.name}: sampler {space.sampler} searches {what} that every point has, and would draw the "
            f"space's {', '.join(_all(space))} at random; take sampler tpe"
        )


def _all(space: Space) -> "dict[str, BaseDistribution]":
    return {name: parameter for each in draw_distributions(space, NUM_DRAWN) for name, parameter in each.items()}
