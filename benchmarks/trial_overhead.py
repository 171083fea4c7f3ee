"""Seconds that a small in-process trial of a sweep costs beyond its training, with and without Tune's reuse of
processes. The counterpart is a bare Ray Tune function without tracking, checkpoints, validation and images. Trials
of two epochs run one at a time. "Beyond its epochs" is the time from the end of the trial before it to its own end,
less its epochs with their validation and panels. "Beyond its training steps" leaves only the steps out. The rows
below split a trial, as averages over one more sweep. Those that start with "of which" add up to what lies beyond its
epochs.

The first trial of a sweep, which starts the process, does not count. The bare trials draw the same digits, train the
same network, report as often, and search the same parameters with OptunaSearch, with Ray's settings as they come.
"""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any
from unittest.mock import patch

import ray
import ray.tune
from ray.tune.search.optuna import OptunaSearch

from benchmarks.harness import tiny_space
from benchmarks.harness.plain_loop import plain_epochs
from benchmarks.harness.rows import Benchmark, Figure, benchmark
from benchmarks.harness.timing import Stopwatch
from orchestrator.cluster.session import ENVIRONMENT
from orchestrator.files.space_sweep import sweep_of_space
from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch import sweep as launcher
from orchestrator.launch.trials import SweepContext, TrialFunction, trial_function
from orchestrator.tracking import resolve_store
from trainables.config import ExperimentConfig, experiment_from_tree, override
from trainables.json_file import read_json, write_json

SETTINGS = ("data.num_train=512", "data.num_test=128", "training.epochs=2", "training.batch_size=32")
FIELDS = {
    "beyond_epochs": "a trial, beyond its epochs",
    "beyond_steps": "a trial, beyond its training steps",
    "whole": "a whole trial",
}
WHOLE = "trial function"
IN_EPOCHS = {
    "training": "trainables.training.loop:_train_epoch",
    "evaluation": "trainables.trial:evaluate",
    "panels": "trainables.trial:draw_panels",
}
IN_TRIAL = {
    "data": "trainables.trial:build_trial_data",
    "digest of the data": "trainables.trial:_describe",
    "network and optimiser": "trainables.training.loop:_build",
    "checkpoints": "trainables.trial_folder:TrialFolder.commit",
    "MLflow push in the trial": "orchestrator.tracking:TrialRun.push",
    "wait for Tune to take the reports": "ray.tune:report",
}
IN_DRIVER = {
    "MLflow push and outcome in the driver": "orchestrator.launch.tune_callback:TrialOutcomeCallback._end",
    "Optuna's suggestion and the trial's folder": "ray.tune.search.optuna:OptunaSearch.suggest",
    "telling Optuna": "ray.tune.search.optuna:OptunaSearch.on_trial_complete",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds a trial, the mean over a sweep's trials but the first."""

    whole: float
    """From the end of one to the end of the next."""
    beyond_epochs: float
    """Less the whole epochs, with their validation."""
    beyond_steps: float
    """Less the training alone."""


def cost(ends: Sequence[float], epochs: Sequence[float], steps: Sequence[float]) -> Cost:
    """Return what trials cost that ended at `ends` and spent those seconds in epochs and in training steps."""
    between = (ends[-1] - ends[0]) / (len(ends) - 1)
    return Cost(between, between - mean(epochs[1:]), between - mean(steps[1:]))


def sweep_config(num_trials: int) -> SweepConfig:
    return sweep_of_space(
        tiny_space.__file__, name="tiny", num_trials=num_trials, assignments=SETTINGS, max_concurrent=1
    )


def run_campaign(num_trials: int, storage: Path) -> SweepFolder:
    """Run our sweep to its end in `storage`."""
    sweep = SweepFolder.of(storage, "tiny")
    sweep.claim(sweep_config(num_trials))
    result = launcher.run_sweep(sweep, resolve_store(storage))
    assert not result.failed
    assert not result.unfinished
    return sweep


def campaign_cost(num_trials: int) -> Cost:
    """Return what a trial of our sweep costs."""
    with tempfile.TemporaryDirectory() as storage:
        sweep = run_campaign(num_trials, Path(storage))
        rows = [sweep.trial(trial_id).rows() for trial_id in in_order_of_end(sweep)]
        ends = [end_of(sweep, trial_id) for trial_id in in_order_of_end(sweep)]
    return cost(
        ends,
        [sum(row["time/epoch_s"] for row in trial) for trial in rows],
        [sum(row["time/train_s"] for row in trial) for trial in rows],
    )


def in_order_of_end(sweep: SweepFolder) -> list[str]:
    return sorted(sweep.trial_ids(), key=partial(end_of, sweep))


def end_of(sweep: SweepFolder, trial_id: str) -> float:
    """Return when the driver wrote how the trial ended."""
    return sweep.trial(trial_id).outcome_path.stat().st_mtime


class NoteEnds(ray.tune.Callback):  # type: ignore[misc]
    """Notes when Tune said that a trial is complete, and the training seconds of its last report."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.steps: list[float] = []

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        self.ends.append(time.time())
        self.steps.append(trial.last_result["train_s"])


def bare_trial(point: dict[str, Any], base: ExperimentConfig) -> None:
    """Train by hand and report as often as our trials do: after every epoch and once at the end."""
    from ray import tune

    train_s, loss = 0.0, 0.0
    for seconds, loss in plain_epochs(experiment_from_tree(override(base.model_dump(mode="json"), point))):
        train_s += seconds
        tune.report({"loss": loss, "train_s": train_s})
    tune.report({"loss": loss, "train_s": train_s})


def bare_point(trial: Any) -> dict[str, Any]:
    """Search the parameters of our space."""
    tiny_space.suggest_rates(trial)
    return dict(trial.params)


@contextmanager
def ray_as_it_comes() -> Iterator[None]:
    """Start Ray without any of our settings, and stop it."""
    ours = {name: os.environ.pop(name) for name in ENVIRONMENT if name in os.environ}
    ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()
        os.environ.update(ours)


def bare_cost(num_trials: int, *, reuse: bool) -> Cost:
    """Return what a trial of the same training costs under Ray Tune alone."""
    base, noted = sweep_config(num_trials).experiment(), NoteEnds()
    function = ray.tune.with_parameters(bare_trial, base=base)
    with ray_as_it_comes(), tempfile.TemporaryDirectory() as storage:
        results = ray.tune.Tuner(
            ray.tune.with_resources(function, {"cpu": base.resources.cpus}),
            tune_config=ray.tune.TuneConfig(
                search_alg=OptunaSearch(bare_point, metric="loss", mode="min"),
                num_samples=num_trials,
                max_concurrent_trials=1,
                reuse_actors=reuse,
            ),
            run_config=ray.tune.RunConfig(storage_path=storage, verbose=0, callbacks=[noted]),
        ).fit()
    assert not results.num_errors
    return cost(noted.ends, noted.steps, noted.steps)


def timed_trial_function(config: ExperimentConfig, context: SweepContext) -> TrialFunction:
    """Return our trial's function, which then also writes the seconds of its stages to the trial's folder."""
    function = trial_function(config, context)

    def trial(point: dict[str, Any]) -> None:
        listener, started = Stopwatch(), time.perf_counter()
        with listener.watching(IN_EPOCHS | IN_TRIAL):
            function(point)
        stages = {stage: sum(calls) for stage, calls in listener.seconds.items()}
        write_json(
            context.trials_path / point["trial_id"] / "stages.json", {WHOLE: time.perf_counter() - started} | stages
        )

    return trial


def profile(num_trials: int) -> Iterator[Figure]:
    """Run our sweep with its stages timed, and yield the seconds of each stage a trial."""
    listener = Stopwatch()
    with tempfile.TemporaryDirectory() as storage, patch.object(launcher, "trial_function", timed_trial_function):
        with listener.watching(IN_DRIVER):
            sweep = run_campaign(num_trials, Path(storage))
        order = in_order_of_end(sweep)
        ends = [end_of(sweep, trial_id) for trial_id in order]
        stages = [read_json(sweep.trial(trial_id).path / "stages.json") for trial_id in order[1:]]
    seconds = {stage: mean(trial.get(stage, 0.0) for trial in stages) for stage in (WHOLE, *IN_EPOCHS, *IN_TRIAL)}
    driver = {stage: median(listener.seconds[stage]) for stage in IN_DRIVER}
    between = (ends[-1] - ends[0]) / (len(ends) - 1)
    for stage in IN_EPOCHS:
        yield seconds_of(f"in the epochs: {stage}", seconds[stage])
    for stage in IN_TRIAL:
        yield seconds_of(f"of which {stage}", seconds[stage])
    yield seconds_of("of which the rest of the trial's function", 2 * seconds[WHOLE] - sum(seconds.values()))
    for stage in IN_DRIVER:
        yield seconds_of(f"of which {stage}", driver[stage])
    yield seconds_of("of which Tune, between two trials", between - seconds[WHOLE] - sum(driver.values()))


def seconds_of(figure: str, value: float) -> Figure:
    return Figure(figure=figure, value=value, unit="s")


def measure(run: Benchmark) -> list[Figure]:
    """Measure all three in turn, several times, then where our time goes."""
    num_trials, rounds = (2, 1) if run.quick else (8, 3)
    sides: dict[str, Callable[[], Cost]] = {
        "campaign": lambda: campaign_cost(num_trials),
        "reuse": lambda: bare_cost(num_trials, reuse=True),
        "fresh": lambda: bare_cost(num_trials, reuse=False),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            costs[name].append(side())
    return [*comparisons(costs), *profile(num_trials)]


def comparisons(costs: dict[str, list[Cost]]) -> Iterator[Figure]:
    against = {"reuse": "bare Tune, process reused", "fresh": "bare Tune, a process a trial"}
    for name, words in against.items():
        for field in ("beyond_epochs", "beyond_steps", "whole"):
            yield Figure(
                figure=FIELDS[field],
                value=median(getattr(entry, field) for entry in costs["campaign"]),
                unit="s",
                against=words,
                counterpart=median(getattr(entry, field) for entry in costs[name]),
            )


def main() -> None:
    run = benchmark(__file__, __doc__)
    run.publish(measure(run))


if __name__ == "__main__":
    main()
