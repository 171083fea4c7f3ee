"""Every sampler draws, after an interruption and an extension, what it would have drawn without them."""

import math
import pickle
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, get_args

import optuna
import pytest
from scipy.stats import qmc

from orchestrator.launch.samplers import MAKERS, NUM_RANDOM
from orchestrator.launch.search import open_optuna_study
from search_spaces import Goal, SamplerName, Space, check_sampler, grid_points
from tests.harness.search_driver import run
from trainables.config import ConfigError

ACCURACY, LOSS = "val/accuracy", "val/loss"
RATE, DECAY, BIAS = "optim.learning_rate", "optim.weight_decay", "model.head_bias"
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)


def suggest(trial: optuna.Trial) -> None:
    trial.suggest_float(RATE, 1e-4, 1e-1, log=True)
    trial.suggest_float(DECAY, 0.0, 0.5)
    trial.suggest_categorical(BIAS, [True, False])


def suggest_discrete(trial: optuna.Trial) -> None:
    trial.suggest_float(DECAY, 0.0, 0.5, step=0.25)
    if trial.suggest_categorical(BIAS, [True, False]):
        trial.suggest_int("training.epochs", 5, 7)


def space_of(sampler: SamplerName, **fields: Any) -> Space:
    given = {
        "suggest": suggest_discrete if sampler == "grid" else suggest,
        "goals": (Goal(ACCURACY, "max"), Goal(LOSS, "min"))[: 2 if sampler == "nsga3" else 1],
        "first_points": () if sampler == "grid" else ({RATE: 1e-2, DECAY: 0.25, BIAS: True},),
    }
    return Space(
        **{"name": "s", "summary": "-", "base": "digits", "num_trials": 12, "sampler": sampler, **given, **fields}
    )


def metrics(point: Mapping[str, Any]) -> dict[str, float | None]:
    """Return metrics that are best at a rate of 0.01, at a decay of 0.1 and without a bias."""
    distance = abs(math.log10(point[RATE]) + 2) + abs(point[DECAY] - 0.1) + point[BIAS]
    return {ACCURACY: 1 / (1 + distance), LOSS: distance + point[DECAY]}


@pytest.fixture
def make(make_sweep: Callable[..., Any]) -> Callable[..., Any]:
    """Return a maker of the sweep of a space."""

    def of(space: Space, name: str, **fields: Any) -> Any:
        goals = [{"metric": goal.metric, "direction": goal.direction} for goal in space.goals]
        return make_sweep(name=name, space="s", goals=goals, sampler=space.sampler, **{"num_trials": 12, **fields})

    return of


def drawn(sweep: Any, space: Space, **options: Any) -> dict[str, tuple[Any, ...]]:
    """Run a sweep and return its points by trial id."""
    run(sweep, space, metrics, **options)
    configs = {trial_id: sweep.folder.trial(trial_id).config() for trial_id in sweep.folder.trial_ids()}
    return {
        trial_id: (
            config.optim.learning_rate,
            config.optim.weight_decay,
            config.model.head_bias,
            config.training.epochs,
        )
        for trial_id, config in configs.items()
    }


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_interrupted_and_extended_sweep_draws_the_points_of_one_that_was_not(
    sampler: SamplerName, make: Callable[..., Any]
) -> None:
    space = space_of(sampler)
    expected = drawn(make(space, "straight"), space)
    cut = make(space, "cut", num_trials=9)
    first = drawn(cut, space, killed_at=("0002", "0004"))
    cut.folder.extend(3) if sampler != "grid" else cut.folder.write(cut.config.model_copy(update={"num_trials": 12}))
    assert drawn(cut, space, killed_at=("0010",)) == expected
    assert list(expected) == [f"{number:04d}" for number in range(12)]
    assert first.items() <= expected.items()
    states = [trial.state.name for trial in open_optuna_study(cut.folder, cut.config).trials]
    assert (states.count("COMPLETE"), states.count("FAIL")) == (12, 3)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_search_can_be_pickled_at_its_end_as_tune_does(sampler: SamplerName, make: Callable[..., Any]) -> None:
    driver = run(make(space_of(sampler), "pickled"), space_of(sampler), metrics)
    driver.search.save(str(driver.folder.path / "searcher.pkl"))
    with (driver.folder.path / "searcher.pkl").open("rb") as file:
        assert pickle.load(file)["_constraints"] == ()


@pytest.mark.parametrize("sampler", sorted(set(SAMPLERS) - {"grid"}))
def test_seed_decides_what_is_drawn(sampler: SamplerName, make: Callable[..., Any]) -> None:
    space = space_of(sampler)
    one, same, other = (
        drawn(make(space, name, seed=seed, num_trials=3), space) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert one == same
    assert one["0000"] == other["0000"]
    assert not {one["0001"], one["0002"]} & {other["0001"], other["0002"]}


@pytest.mark.parametrize("sampler", ["gp", "nsga3", "tpe"])
def test_results_count_after_the_random_trials(sampler: SamplerName, make: Callable[..., Any]) -> None:
    """The first point is one of the random trials but for NSGA-III, whose generations are of points that it drew."""
    space = space_of(sampler)
    at_random = drawn(make(space_of("random"), "random"), space_of("random"))
    learnt = drawn(make(space, "learnt"), space)
    first = NUM_RANDOM + (sampler == "nsga3")
    same = [trial_id for trial_id in learnt if learnt[trial_id] == at_random[trial_id]]
    assert same == [f"{number:04d}" for number in range(first)]


def test_quasi_monte_carlo_is_the_sequence_of_scipy(make: Callable[..., Any]) -> None:
    space = space_of("qmc")
    points = drawn(make(space, "qmc", seed=5, num_trials=5), space)
    units = qmc.Sobol(3, scramble=True, seed=5).random_base2(2)
    expected = [(units[row, 2] * 0.5, 10 ** (3 * units[row, 1] - 4)) for row in range(4)]
    assert [(point[1], point[0]) for point in list(points.values())[1:]] == [pytest.approx(pair) for pair in expected]


def test_grid_has_every_combination_once(make: Callable[..., Any]) -> None:
    space = space_of("grid", first_points=({DECAY: 0.5, BIAS: False}, {DECAY: 0.5, BIAS: True, "training.epochs": 6}))
    with_bias = set(product((0.0, 0.25, 0.5), (True,), (5, 6, 7)))
    without = set(product((0.0, 0.25, 0.5), (False,), (10,)))
    points = [point[1:] for point in drawn(make(space, "grid"), space).values()]
    assert len(points) == 12
    assert set(points) == with_bias | without
    assert points[:2] == [(0.5, False, 10), (0.5, True, 6)]


def continuous(trial: optuna.Trial) -> None:
    if trial.suggest_categorical("objective.kind", ["cross_entropy", "contrastive"]) == "contrastive":
        trial.suggest_float("objective.background_weight", 0.1, 1)


def many(trial: optuna.Trial) -> None:
    trial.suggest_int("training.epochs", 1, 1001)


def only_one_has(trial: optuna.Trial) -> None:
    if trial.suggest_categorical("which", ["rate"]) == "rate":
        trial.suggest_categorical(BIAS, [True, False])


@pytest.mark.parametrize(
    ("sampler", "fields", "message"),
    [
        ("grid", {"suggest": continuous}, "but objective.background_weight can take any value of a range; give a step"),
        ("grid", {"suggest": many}, "sampler grid would try more than 1000 combinations"),
        ("cmaes", {"suggest": only_one_has}, "sampler cmaes searches numbers that every point has, and would draw"),
        (
            "cmaes",
            {"goals": (Goal(ACCURACY, "max"), Goal(LOSS, "min"))},
            r"one goal, but there are 2: val/accuracy \(max\), val/loss \(min\); take sampler tpe, gp or nsga3",
        ),
    ],
)
def test_space_that_a_sampler_cannot_search_is_refused(
    sampler: SamplerName, fields: dict[str, Any], message: str
) -> None:
    space = space_of(sampler, first_points=(), **fields)
    with pytest.raises(ConfigError, match=f"space s: .*{message}"):
        grid_points(space, seed=0) if sampler == "grid" else check_sampler(space)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_space_that_fits_is_accepted(sampler: SamplerName) -> None:
    check_sampler(space_of(sampler))
    assert sampler in MAKERS
