"""What a sweep searches: a base config, a define-by-run space over it, and its goals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from trainables.config import ConfigError, with_current_names

if TYPE_CHECKING:
    import optuna

Point = Mapping[str, Any]
"""Config field -> value, `{"objective.background_weight": 0.1}`: an override of the base."""


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


def draw_points(space: Space, num_points: int, *, seed: int) -> list[dict[str, Any]]:
    """Draw points at random, the space's first points first; ConfigError if the space's function fails."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna_study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for first in space.first_points:
        optuna_study.enqueue_trial(dict(first))
    points = []
    for _ in range(num_points):
        trial = optuna_study.ask()
        try:
            space.suggest(trial)
        except Exception as error:
            raise ConfigError(f"space {space.name}: suggest failed with {type(error).__name__}: {error}") from error
        points.append(overrides_of(trial.params))
    return points
