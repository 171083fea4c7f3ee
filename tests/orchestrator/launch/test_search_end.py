"""A search that ends early is complete, stays so over a restart, and goes on when it is extended."""

from collections.abc import Callable, Mapping
from typing import Any

import optuna
import pytest

from orchestrator.files.search_state import SearchState
from orchestrator.launch.search import open_optuna_study
from orchestrator.launch.status import status_lines, sweep_status
from search_spaces import Constraint, Goal, Space
from tests.harness.search_driver import SearchDriver, run
from trainables.json_file import BrokenFileError, read_object

GOAL, DECAY = "val/accuracy", "optim.weight_decay"


def suggest(trial: optuna.Trial) -> None:
    trial.suggest_float(DECAY, 0.0, 1.0)


def space_of(*first: float) -> Space:
    points = tuple({DECAY: value} for value in first)
    goals = (Goal(GOAL, "max"),)
    return Space(name="s", summary="-", base="digits", suggest=suggest, goals=goals, num_trials=8, first_points=points)


SPACE = space_of(0.5, 0.25, 0.75, 0.125)


def metrics(point: Mapping[str, Any]) -> dict[str, float | None]:
    return {GOAL: 1 - abs(point[DECAY] - 0.25), "val/loss": point[DECAY]}


@pytest.fixture
def make(make_sweep: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **fields: make_sweep(space="s", num_trials=8, **fields)


def test_target_ends_the_search_and_an_extension_goes_on(make: Callable[..., Any]) -> None:
    sweep = make(stop_when=[f"{GOAL} >= 0.99"])
    run(sweep, SPACE, metrics)
    assert sweep.folder.trial_ids() == ["0000", "0001"]
    assert sweep.folder.search_end(sweep.config) == f"{GOAL} >= 0.99: trial 0001 has 1.000"
    assert sweep.folder.num_left(sweep.config) == 0
    assert SearchDriver(sweep, SPACE, metrics).ask() is None
    sweep.folder.extend(2)
    assert (sweep.folder.config().num_trials, sweep.folder.config().stop_when) == (4, ())
    run(sweep, SPACE, metrics)
    points = [SearchDriver(sweep, SPACE, metrics).point(trial_id)[DECAY] for trial_id in sweep.folder.trial_ids()]
    assert points == [0.5, 0.25, 0.75, 0.125]


def test_search_without_improvement_ends(make: Callable[..., Any]) -> None:
    sweep = make(stop_when=["no improvement for 2"])
    run(sweep, SPACE, metrics, killed_at=("0002",))
    assert sweep.folder.trial_ids() == ["0000", "0001", "0002", "0003"]
    assert sweep.folder.search_end(sweep.config) == "no improvement for 2: trial 0001 was the last to improve"


def test_time_counts_over_drivers_and_trials_that_had_started_end(make: Callable[..., Any]) -> None:
    sweep = make(time_budget_s=3600.0)
    driver = SearchDriver(sweep, SPACE, metrics)
    for _ in range(2):
        driver.finish(str(driver.ask()))
    assert [driver.ask() for _ in range(2)] == ["0002", "0003"]
    assert sweep.folder.search_end(sweep.config) is None
    SearchState(seconds=3600.0).write(sweep.folder.search_path)
    run(sweep, space_of(0.5, 0.25, 0.75, 0.125, 0.0), metrics)
    assert (sweep.folder.trial_ids(), sweep.folder.unfinished()) == (["0000", "0001", "0002", "0003"], [])
    assert sweep.folder.search_end(sweep.config) == "time budget of 1h00m: it is used up"
    assert status_lines(sweep_status(sweep.folder))[2:] == ["ended early by time budget of 1h00m: it is used up"]


def test_first_point_that_had_not_started_waits_for_the_extension(make: Callable[..., Any]) -> None:
    sweep = make(time_budget_s=3600.0)
    SearchDriver(sweep, SPACE, metrics).ask()
    SearchState(seconds=3600.0).write(sweep.folder.search_path)
    run(sweep, SPACE, metrics)
    assert sweep.folder.trial_ids() == ["0000"]
    sweep.folder.extend(3)
    run(sweep, SPACE, metrics)
    points = [SearchDriver(sweep, SPACE, metrics).point(trial_id)[DECAY] for trial_id in sweep.folder.trial_ids()]
    assert sorted(points) == [0.125, 0.25, 0.5, 0.75]


def test_another_limit_lets_the_search_go_on(make: Callable[..., Any]) -> None:
    sweep = make(time_budget_s=3600.0)
    SearchState(7200.0, "time budget of 1h00m", "it is used up").write(sweep.folder.search_path)
    assert sweep.folder.num_left(sweep.config) == 0
    longer = sweep.config.model_copy(update={"time_budget_s": 10800.0})
    assert sweep.folder.num_left(longer) == 8
    sweep.folder.claim(longer)
    assert SearchDriver(sweep, SPACE, metrics).ask() == "0000"


def test_time_used_is_written_while_there_is_a_budget(make: Callable[..., Any]) -> None:
    for fields, seconds in (({"time_budget_s": 3600.0}, 100.0), ({}, None)):
        sweep = make(name=f"s{len(fields)}", **fields)
        driver = SearchDriver(sweep, SPACE, metrics)
        driver.search._end._before_s = 100.0  # As if this driver had begun so long ago.
        driver.finish(str(driver.ask()))
        assert (read_object(sweep.folder.search_path).get("seconds", 0) >= 100) == (seconds is not None)


def test_file_of_another_kind_is_refused(make: Callable[..., Any]) -> None:
    sweep = make()
    sweep.folder.search_path.write_text('{"minutes": 3}')
    with pytest.raises(BrokenFileError, match=r"search\.json: .*minutes.*; remove it"):
        sweep.folder.search_state()


def test_optuna_learns_the_constraints_live_and_over_a_restart(make: Callable[..., Any]) -> None:
    sweep = make(constraints=[{"metric": "val/loss", "relation": "<=", "bound": 0.25}])
    driver = SearchDriver(sweep, SPACE, metrics)
    driver.finish(str(driver.ask()))
    trial_id = str(driver.ask())
    sweep.end(trial_id, metrics(driver.point(trial_id)))
    driver = SearchDriver(sweep, SPACE, metrics)
    sweep.end(str(driver.ask()), {GOAL: 0.5})
    SearchDriver(sweep, SPACE, metrics)
    trials = open_optuna_study(sweep.folder, sweep.config).trials
    assert [trial.constraints for trial in trials[:3]] == [{"val/loss <= 0.25": 0.25}, {"val/loss <= 0.25": 0.0}, {}]
    assert [trial.state.name for trial in trials[:3]] == ["COMPLETE", "COMPLETE", "FAIL"]
    assert sweep.folder.config().constraints == (Constraint("val/loss", "<=", 0.25),)
