"""A space that cannot work is refused where it is written, or before a sweep starts."""

from collections.abc import Callable
from typing import Any

import optuna
import pytest

from search_spaces import SPACES, Goal, Space, draw_points
from trainables.config import ConfigError

ACCURACY, SHARE = Goal("val/accuracy", "max"), Goal("val/background/influence_share", "min")


def make(**fields: Any) -> Space:
    return Space(**{"name": "s", "summary": "-", "base": "digits", "suggest": print, "num_trials": 1, **fields})


def test_space_without_a_goal_is_refused() -> None:
    with pytest.raises(ConfigError, match="space s: needs at least one goal"):
        make(goals=())


def test_asha_with_two_goals_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"2 goals: val/accuracy \(max\), val/background/influence_share \(min\)"):
        make(goals=(ACCURACY, SHARE), asha=True)


def test_several_goals_without_asha_and_asha_with_one_are_fine() -> None:
    assert len(make(goals=(ACCURACY, SHARE)).goals) == 2
    assert make(goals=(ACCURACY,), asha=True).asha


def asks(trial: optuna.Trial) -> None:
    if trial.suggest_categorical("objective.kind", ["cross_entropy", "contrastive"]) == "contrastive":
        trial.suggest_float("objective.background_weight", 0.1, 1)


def ends(_: optuna.Trial) -> None:
    raise SystemExit(2)


def breaks(_: optuna.Trial) -> None:
    raise BaseException("two\nlines")


def sets_nothing(trial: optuna.Trial) -> None:
    trial.suggest_float("rate", 0, 1)


@pytest.mark.parametrize(
    ("suggest", "point", "message"),
    [
        (
            asks,
            {"objective.kind": "cross_entropy", "objective.background_weight": 0.5},
            "background_weight, which sugg",
        ),
        (
            asks,
            {"optim.learning_rate": 0.1},
            r"first_points\[0\] sets optim\.learning_rate, .* it asks for objective\.kind",
        ),
        (ends, {}, r"suggest failed with SystemExit: 2$"),
        (breaks, {}, r"suggest failed with BaseException: two lines$"),
        (sets_nothing, {}, "suggest sets no field, so that all trials would be equal"),
    ],
)
def test_space_that_cannot_be_searched_is_refused_with_its_file(
    suggest: Callable[[optuna.Trial], None], point: dict[str, Any], message: str
) -> None:
    space = make(goals=(ACCURACY,), suggest=suggest, first_points=(point,))
    with pytest.raises(ConfigError, match=rf"space s \({__file__}.*\): .*{message}"):
        draw_points(space, 4, seed=0)


def test_ctrl_c_while_points_are_drawn_stays_one() -> None:
    def interrupted(_: optuna.Trial) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_points(make(goals=(ACCURACY,), suggest=interrupted), 1, seed=0)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_space_that_ships_can_be_searched(space: Space) -> None:
    points = draw_points(space, len(space.first_points) + 1, seed=0)
    for first, point in zip(space.first_points, points, strict=False):
        assert point.items() >= {name: value for name, value in first.items() if "." in name}.items()
