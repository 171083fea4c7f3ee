"""A space that cannot work is refused where it is written."""

from typing import Any

import pytest

from search_spaces import Goal, Space
from trainables.config import ConfigError

ACCURACY, SHARE = Goal("val/accuracy", "max"), Goal("background/influence_share", "min")


def make(**fields: Any) -> Space:
    return Space(name="s", summary="-", base="digits", suggest=print, num_trials=1, **fields)


def test_space_without_a_goal_is_refused() -> None:
    with pytest.raises(ConfigError, match="space s: needs at least one goal"):
        make(goals=())


def test_asha_with_two_goals_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"2 goals: val/accuracy \(max\), background/influence_share \(min\)"):
        make(goals=(ACCURACY, SHARE), asha=True)


def test_several_goals_without_asha_and_asha_with_one_are_fine() -> None:
    assert len(make(goals=(ACCURACY, SHARE)).goals) == 2
    assert make(goals=(ACCURACY,), asha=True).asha
