"""CPU seconds of `campaign --help`, all its processes together, against an empty Python program.

CPU seconds and not wall time: they are the same on a busy machine.
"""

import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.harness.rows import Figure, benchmark
from benchmarks.harness.timing import interleaved

CAMPAIGN = str(Path(sys.executable).with_name("campaign"))


def cpu_seconds(command: Sequence[str]) -> float:
    """Run `command` and return the user and system time that it and its children took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    run = benchmark(__file__, __doc__)
    seconds = interleaved(
        {
            "campaign": lambda: cpu_seconds([CAMPAIGN, "--help"]),
            "python": lambda: cpu_seconds([sys.executable, "-c", "pass"]),
        },
        repetitions=1 if run.quick else 15,
        warmup=1,
    )
    run.publish(
        [
            Figure(
                figure="`campaign --help`",
                value=median(seconds["campaign"]),
                unit="CPU s",
                against="`python -c pass`",
                counterpart=median(seconds["python"]),
            )
        ]
    )


if __name__ == "__main__":
    main()
