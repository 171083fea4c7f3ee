"""CPU seconds of commands that only read, all their processes together, against an empty Python program. The sweep
has four trials of ten epochs, which are also in MLflow.

CPU seconds and not wall time: they are the same on a busy machine.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.harness.finished_sweep import make_finished_sweep
from benchmarks.harness.rows import Benchmark, Figure, benchmark
from benchmarks.harness.timing import interleaved

CAMPAIGN = str(Path(sys.executable).with_name("campaign"))
EMPTY = "`python -c pass`"


def cpu_seconds(command: Sequence[str], *, code: int = 0) -> float:
    """Run `command`, which must end with `code`, and return the user and system time that it and its children took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == code, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(run: Benchmark, storage: Path) -> list[Figure]:
    sweep, mistaken = make_finished_sweep(storage, 1 if run.quick else 4).path.name, storage / "mistaken.yaml"
    mistaken.write_text("optim: {learning_rat: 0.1}\n", encoding="utf-8")
    at = [sweep, "--storage", str(storage)]
    sides = {
        EMPTY: partial(cpu_seconds, [sys.executable, "-c", "pass"]),
        "`campaign --help`": partial(cpu_seconds, [CAMPAIGN, "--help"]),
        "`campaign train`, an error in the YAML file": partial(cpu_seconds, [CAMPAIGN, "train", str(mistaken)], code=2),
        "`campaign leaderboard --json`": partial(cpu_seconds, [CAMPAIGN, "leaderboard", *at, "--json"]),
        "`campaign leaderboard`": partial(cpu_seconds, [CAMPAIGN, "leaderboard", *at]),
        "`campaign status`": partial(cpu_seconds, [CAMPAIGN, "status", *at]),
    }
    if run.quick:
        sides = {name: sides[name] for name in (EMPTY, "`campaign leaderboard`")}
    seconds = interleaved(sides, repetitions=1 if run.quick else 15, warmup=not run.quick)
    empty = median(seconds.pop(EMPTY))
    return [
        Figure(figure=name, value=median(values), unit="CPU s", against=EMPTY, counterpart=empty)
        for name, values in seconds.items()
    ]


def main() -> None:
    run = benchmark(__file__, __doc__)
    with tempfile.TemporaryDirectory() as storage:
        run.publish(measure(run, Path(storage)))


if __name__ == "__main__":
    main()
