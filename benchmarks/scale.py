"""A sweep of 1,000 trials on 64 GPUs that Ray only assumes, on this machine. A trial sleeps 40 s instead of
training, reports ten epochs and writes the files of a trial. All else is a sweep's own: Tune, Optuna with its journal,
MLflow at each trial's end, and the summary. "Busy" is the share of the time between a GPU's first trial and the end of
its last in which a trial sleeps on it. Seconds a trial are medians over the last 50 trials. The driver suggests one
trial after another, and Optuna reads all earlier trials each time. That limits 10,000 trials: a suggestion then takes
about half a second, so that 64 GPUs stay busy only with trials of minutes. Memory and Tune's experiment state, which is
rewritten as a whole but only once an hour, grow by 0.05 and 0.013 MB a trial.

The length of a trial varies by a tenth, so that not all of them end at once.
"""

import logging
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, ClassVar
from unittest.mock import patch

import ray
import ray.tune

from benchmarks.cli_start import CAMPAIGN, cpu_seconds
from benchmarks.harness import tiny_space
from benchmarks.harness.finished_sweep import write_metrics
from benchmarks.harness.memory import resident_mb
from benchmarks.harness.rows import Benchmark, Figure, benchmark
from benchmarks.harness.timing import Stopwatch
from orchestrator.cluster.capacity import Node
from orchestrator.cluster.session import ENVIRONMENT
from orchestrator.files.space_sweep import sweep_of_space
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch import sweep as launcher
from orchestrator.launch.trials import SweepContext, TrialFunction
from orchestrator.launch.tune_callback import TrialOutcomeCallback
from orchestrator.tracking import resolve_store
from trainables.config import ExperimentConfig
from trainables.json_file import read_json, write_json
from trainables.trial_folder import TrialFolder

CPUS = 0.01
"""Cores of a trial, which sleeps."""
EPOCHS = 10
WINDOW = 50
SLEPT = "slept.json"
DRIVER = {
    "Optuna's suggestion and the trial's folder": "ray.tune.search.optuna:OptunaSearch.suggest",
    "telling Optuna": "ray.tune.search.optuna:OptunaSearch.on_trial_complete",
    "the trial's outcome": "orchestrator.launch.tune_callback:TrialOutcomeCallback._end",
    "MLflow push, in a thread": "orchestrator.tracking:TrialRun.push",
}
ONCE = {
    "Tune's experiment state, written": "ray.tune.execution.tune_controller:TuneController.save_to_dir",
    "the sweep's summary at its end": "orchestrator.launch.sweep:conclude",
}
STAGES = DRIVER | ONCE


@contextmanager
def assumed_gpus(num_gpus: int, _: str | None) -> Iterator[list[Node]]:
    """Start Ray with `num_gpus` that it does not look for."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    ray.init(
        address="local",
        num_cpus=1,
        num_gpus=num_gpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        yield [{"CPU": num_gpus * CPUS, "GPU": float(num_gpus)}]
    finally:
        ray.shutdown()


def sleeping_trial(seconds: float, _: ExperimentConfig, context: SweepContext) -> TrialFunction:
    """Return a trial's function that sleeps about `seconds` and leaves the files of a trial, but no weights."""

    def trial(point: dict[str, Any]) -> None:
        folder, started = TrialFolder(context.trials_path / point["trial_id"]), time.time()
        share = random.Random(point["trial_id"]).uniform(0.9, 1.1)
        for epoch in range(1, EPOCHS + 1):
            time.sleep(share * seconds / EPOCHS)
            ray.tune.report({"epoch": epoch, "val/loss": share})
        write_metrics(folder, value=share)
        write_json(folder.path / SLEPT, {"process": os.getpid(), "started": started, "ended": time.time()})

    return trial


class Ends(TrialOutcomeCallback):
    """Notes the driver's memory at each trial's end."""

    memory_mb: ClassVar[list[float]] = []

    def _end(self, trial_id: str, error: str | None) -> None:
        super()._end(trial_id, error)
        self.memory_mb.append(resident_mb())


def busy(trials: Sequence[Mapping[str, float]]) -> float:
    """Return the share of the time between each process' first start and last end in which it ran a trial."""
    by_process = defaultdict(list)
    for trial in trials:
        by_process[trial["process"]].append(trial)
    held = sum(max(each["ended"] for each in own) - min(each["started"] for each in own) for own in by_process.values())
    return sum(trial["ended"] - trial["started"] for trial in trials) / held


def run_sweep(sweep: SweepFolder, num_gpus: int, seconds: float) -> Stopwatch:
    """Run the sweep to its end, and return how long the driver's stages took."""
    stopwatch = Stopwatch()
    with ExitStack() as stack:
        stack.enter_context(patch.object(launcher, "start_ray", partial(assumed_gpus, num_gpus)))
        stack.enter_context(patch.object(launcher, "trial_function", partial(sleeping_trial, seconds)))
        stack.enter_context(patch.object(launcher, "TrialOutcomeCallback", Ends))
        stack.enter_context(patch.object(launcher, "_set_champion_alias"))  # A sleeping trial has no weights.
        stack.enter_context(stopwatch.watching(STAGES))
        result = launcher.run_sweep(sweep, resolve_store(sweep.storage))
    assert not result.failed
    assert not result.unfinished
    return stopwatch


def measure(run: Benchmark, storage: Path) -> Iterator[Figure]:
    arguments = run.arguments
    num_trials, num_gpus, seconds = (8, 2, 1.0) if run.quick else (arguments.trials, arguments.gpus, arguments.seconds)
    sweep = SweepFolder.of(storage, "scale")
    assignments = [f"resources.cpus={CPUS}", "resources.gpus=1", f"training.epochs={EPOCHS}"]
    sweep.claim(sweep_of_space(tiny_space.__file__, name="scale", num_trials=num_trials, assignments=assignments))
    stages = run_sweep(sweep, num_gpus, seconds).seconds
    slept = [read_json(sweep.trial(trial_id).path / SLEPT) for trial_id in sweep.trial_ids()]
    yield Figure(figure="busy", value=busy(slept), unit="of the time")
    counts = [count for count in (100, 500, 1000, 10_000) if count < num_trials] + [num_trials]
    for count in counts:
        last = slice(max(0, count - WINDOW), count)
        yield Figure(figure=f"after {count} trials: memory of the driver", value=Ends.memory_mb[count - 1], unit="MB")
        for stage in DRIVER:
            value = median(stages[stage][last])
            yield Figure(figure=f"after {count} trials: {stage}, a trial", value=value, unit="s")
    state = next((sweep.path / "tune").glob("experiment_state-*.json"))
    yield Figure(figure="Tune's experiment state", value=state.stat().st_size / 1e6, unit="MB")
    for stage in ONCE:
        yield Figure(figure=f"{stage}", value=max(stages[stage]), unit="s")
    for command in ("leaderboard", "status"):
        words = [CAMPAIGN, command, sweep.path.name, "--storage", str(storage), "--json"]
        yield Figure(figure=f"`campaign {command} --json`", value=cpu_seconds(words), unit="CPU s")


def main() -> None:
    run = benchmark(
        __file__,
        __doc__,
        ("--trials", {"type": int, "default": 1000}),
        ("--gpus", {"type": int, "default": 64}),
        ("--seconds", {"type": float, "default": 40.0}),
    )
    with tempfile.TemporaryDirectory() as storage:
        run.publish(list(measure(run, Path(storage))))


if __name__ == "__main__":
    main()
