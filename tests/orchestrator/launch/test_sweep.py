"""What a sweep asks of Tune."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from orchestrator.launch.sweep import build_scheduler

GOAL = "val/accuracy"


class Halving:
    """A sweep's scheduler, which gets epochs as from Tune."""

    def __init__(self, scheduler: ASHAScheduler) -> None:
        self._scheduler = scheduler

    def run(self, name: str, values: list[float]) -> int:
        """Report `values`, one an epoch; return the epoch after which the trial is stopped, 0 if it never is."""
        trial: Any = SimpleNamespace(trial_id=name)
        self._scheduler.on_trial_add(None, trial)
        for epoch, value in enumerate(values, 1):
            result = {"epoch": epoch, GOAL: value}
            if self._scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP:
                return epoch
        return 0


@pytest.fixture
def make_halving(make_sweep: Callable[..., Any]) -> Callable[..., Halving]:
    def make(epochs: int, direction: str = "max") -> Halving:
        base = {"training": {"epochs": epochs}, "optim": {"warmup_epochs": 0}}
        goals = [{"metric": GOAL, "direction": direction}]
        scheduler = build_scheduler(make_sweep(asha=True, base=base, goals=goals).config)
        assert isinstance(scheduler, ASHAScheduler)
        return Halving(scheduler)

    return make


def test_no_scheduler_without_asha(make_sweep: Callable[..., Any]) -> None:
    assert build_scheduler(make_sweep().config) is None


@pytest.mark.parametrize(("epochs", "rungs"), [(3, (1, 2)), (4, (2, 3)), (7, (2, 4)), (8, (3, 5)), (20, (6, 11))])
def test_worse_trial_is_stopped_after_a_quarter_or_half_of_the_epochs(
    epochs: int, rungs: tuple[int, int], make_halving: Callable[..., Halving]
) -> None:
    halving = make_halving(epochs)
    assert halving.run("good", [0.9] * epochs) == 0
    assert halving.run("bad", [0.1] * epochs) == rungs[0]
    assert halving.run("fading", [0.9] * rungs[0] + [0.1] * (epochs - rungs[0])) == rungs[1]


@pytest.mark.parametrize("epochs", range(3, 41))
def test_trial_at_its_last_epoch_is_never_stopped(epochs: int, make_halving: Callable[..., Halving]) -> None:
    halving = make_halving(epochs)
    halving.run("good", [0.9] * epochs)
    assert halving.run("late", [0.9] * (epochs - 1) + [0.1]) == 0


def test_direction_of_the_goal_counts(make_halving: Callable[..., Halving]) -> None:
    halving = make_halving(8, "min")
    assert halving.run("good", [0.1] * 8) == 0
    assert halving.run("bad", [0.9] * 8) == 3
