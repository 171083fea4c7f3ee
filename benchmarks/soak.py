"""Memory of the process in which a sweep's trials run one after another, each a training of two epochs on the digits.
The counterpart is the same sweep with as many of glibc's heaps as glibc takes by itself, 8 a core, where a sweep
allows 2. The memory is a median over the last ten trials, and "growth" is that from 50 to 200 trials.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from benchmarks.harness import tiny_space
from benchmarks.harness.memory import resident_mb
from benchmarks.harness.rows import Benchmark, Figure, benchmark
from orchestrator.files.space_sweep import sweep_of_space
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch import sweep as launcher
from orchestrator.launch.trials import SweepContext, TrialFunction, trial_function
from orchestrator.tracking import resolve_store
from trainables.config import ExperimentConfig
from trainables.json_file import read_json, write_json

SETTINGS = ("data.num_train=256", "data.num_test=128", "training.epochs=2", "training.batch_size=32")
HEAPS = "MALLOC_ARENA_MAX"
MEMORY = "memory.json"
LAST = 10
"""Trials over which a median is taken: the memory goes up and down."""


def watched_trial(config: ExperimentConfig, context: SweepContext) -> TrialFunction:
    """Return our trial's function, which then also writes its process' memory to the trial's folder."""
    function = trial_function(config, context)

    def trial(point: dict[str, Any]) -> None:
        function(point)
        write_json(context.trials_path / point["trial_id"] / MEMORY, [os.getpid(), resident_mb()])

    return trial


def memory_by_trial(num_trials: int) -> list[float]:
    """Run a sweep of one trial at a time; return the memory of their process after each, in MB."""
    with tempfile.TemporaryDirectory() as storage, patch.object(launcher, "trial_function", watched_trial):
        sweep = SweepFolder.of(Path(storage), "soak")
        config = sweep_of_space(
            tiny_space.__file__, name="soak", num_trials=num_trials, assignments=SETTINGS, max_concurrent=1
        )
        sweep.claim(config)
        result = launcher.run_sweep(sweep, resolve_store(Path(storage)))
        assert not result.failed
        assert not result.unfinished
        noted = [read_json(sweep.trial(trial_id).path / MEMORY) for trial_id in sweep.trial_ids()]
    assert len({process for process, _ in noted}) == 1
    return [memory for _, memory in noted]


def after(memory: Sequence[float], num_trials: int) -> float:
    return median(memory[max(0, num_trials - LAST) : num_trials])


def growth(memory: Sequence[float], first: int, last: int) -> float:
    """Return how much more memory there is after `last` than after `first` trials, in percent."""
    return 100 * (after(memory, last) / after(memory, first) - 1)


def measure(run: Benchmark) -> list[Figure]:
    first, last = (1, 2) if run.quick else (50, 200)
    ours = memory_by_trial(last)
    with patch.dict(os.environ, {HEAPS: str(8 * (os.cpu_count() or 1))}):
        default = memory_by_trial(last)
    figures = {
        f"after {first} trials": (after(ours, first), after(default, first), "MB"),
        f"after {last} trials": (after(ours, last), after(default, last), "MB"),
        "growth": (growth(ours, first, last), growth(default, first, last), "%"),
    }
    return [
        Figure(figure=figure, value=value, unit=unit, against="glibc's number of heaps", counterpart=counterpart)
        for figure, (value, counterpart, unit) in figures.items()
    ]


def main() -> None:
    run = benchmark(__file__, __doc__)
    run.publish(measure(run))


if __name__ == "__main__":
    main()
