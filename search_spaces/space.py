"""What a sweep searches: a base config, a define-by-run space over it, its goals, and what samples it."""

import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from search_spaces.constraint import Constraint
from trainables.config import ConfigError, with_current_names

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

Point = Mapping[str, Any]
"""Config field -> value, `{"objective.background_weight": 0.1}`: an override of the base."""
SamplerName = Literal["tpe", "gp", "cmaes", "nsga3", "random", "qmc", "grid"]
"""Which of Optuna's samplers draws the points."""


def overrides_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that are config fields, which have a dot in their names, and the seed.

    Any other is a choice of the space's own, such as whether a regulariser is there at all.
    """
    return with_current_names({name: value for name, value in parameters.items() if "." in name or name == "seed"})


@dataclass(frozen=True, slots=True)
class Goal:
    """A metric to maximise or minimise."""

    metric: str
    direction: Literal["max", "min"]

    def __str__(self) -> str:
        return f"{self.metric} ({self.direction})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A search space.

    `suggest` names each Optuna parameter after the config field it sets and returns nothing, so that a
    sampled point is an override of the base and needs no translation. A parameter without a dot in its name sets
    no field: it may decide which of the others there are.
    """

    name: str
    summary: str
    base: str
    """Name of a file in `bases/`, or a path to a YAML file."""
    suggest: "Callable[[optuna.Trial], None]"
    goals: tuple[Goal, ...]
    num_trials: int
    constraints: tuple[Constraint, ...] = ()
    """What a trial must keep to be feasible; any feasible trial is better than any other."""
    sampler: SamplerName = "tpe"
    asha: bool = False
    """Stop the worse trials early; needs a single goal that every epoch reports."""
    first_points: tuple[Point, ...] = field(default=())
    """Parameter values tried before any sampled ones, such as a baseline."""

    def __post_init__(self) -> None:
        if not self.goals:
            raise ConfigError(f"space {self.name}: needs at least one goal")
        if self.asha and len(self.goals) > 1:
            raise ConfigError(
                f"space {self.name}: asha compares trials by one metric, but there are {len(self.goals)} goals: "
                f"{', '.join(map(str, self.goals))}; set asha=False or keep one goal"
            )
        if self.constraints and (self.asha or self.sampler == "cmaes"):
            what, instead = (
                ("asha", "leave asha out") if self.asha else ("sampler cmaes", "take sampler tpe, gp or nsga3")
            )
            raise ConfigError(
                f"space {self.name}: {what} compares trials by the goal alone, but there are constraints: "
                f"{', '.join(map(str, self.constraints))}; {instead}"
            )


def draw_points(space: Space, num_points: int, *, seed: int) -> list[dict[str, Any]]:
    """Draw points at random, the space's first points first.

    Raises:
        ConfigError: The space's function fails or sets no field, or a first point has a field that it does not ask for.
    """
    points = [overrides_of(trial.params) for trial in _draw(space, num_points, seed=seed)]
    if points and not any(points):
        raise ConfigError(
            f"space {space.name}{_place(space)}: suggest sets no field, so that all trials would be equal; name a "
            "parameter after a field, such as trial.suggest_float('optim.learning_rate', 1e-4, 1e-2)"
        )
    return points


def draw_distributions(space: Space, num_points: int) -> "list[dict[str, BaseDistribution]]":
    """Return the parameters that the space asks for at each of its first points and of points drawn at random.

    Raises:
        ConfigError: As for `draw_points`.
    """
    return [trial.distributions for trial in _draw(space, len(space.first_points) + num_points, seed=0)]


def _draw(space: Space, num_points: int, *, seed: int) -> "list[optuna.Trial]":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna_study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for first in space.first_points:
        optuna_study.enqueue_trial(dict(first))
    trials = []
    for number in range(num_points):
        trials.append(optuna_study.ask())
        suggest_point(space, trials[-1])
        if number < len(space.first_points):
            _check_first_point(space, number, trials[-1].params)
    return trials


def suggest_point(space: Space, trial: "optuna.Trial") -> dict[str, Any]:
    """Return the fields that the space sets in a trial; ConfigError names the line where its function fails."""
    try:
        space.suggest(trial)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A space may call sys.exit.
        raise ConfigError(
            f"space {space.name}{_place(space, error)}: suggest failed with {what_failed(error)}"
        ) from error
    return overrides_of(trial.params)


def what_failed(error: BaseException) -> str:
    """Return an error's type and message on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def line_of(error: BaseException, path: str) -> str:
    """Return `, line N` for the last line of the file that `error` passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    numbers = [frame.lineno for frame in frames if Path(frame.filename) == Path(path)]
    return f", line {numbers[-1]}" if numbers else ""


def _check_first_point(space: Space, number: int, asked: Collection[str]) -> None:
    others = [field for field in space.first_points[number] if field not in asked]
    if others:
        raise ConfigError(
            f"space {space.name}{_place(space)}: first_points[{number}] sets {', '.join(others)}, which suggest does "
            f"not ask for at that point; it asks for {', '.join(asked) or 'nothing'}"
        )


def _place(space: Space, error: BaseException | None = None) -> str:
    """Return ` (file, line)` of the space's function, or the YAML file, as far as they are known."""
    code = getattr(space.suggest, "__code__", None)
    if code is None:
        path = getattr(space.suggest, "path", "")
        return f" ({path})" if path else ""
    return f" ({code.co_filename}{line_of(error, code.co_filename) if error else ''})"
