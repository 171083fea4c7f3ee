"""What each arm of a study is given besides labels, and how long a training step of it takes."""

from collections.abc import Mapping
from typing import Any

import torch

from benchmarks.harness.timing import interleaved, paired_ratio
from orchestrator.files.text import listing
from trainables.config import ExperimentConfig
from trainables.training.step_time import stepper

REPETITIONS, WARMUP = 9, 2
NO_STEP = {"training.jtt.": "JTT's first network", "objective.dfr.": "the fits of DFR"}
"""Beginning of a setting -> what it trains besides, which is in no step."""


def step_ratios(configs: Mapping[str, ExperimentConfig], reference: str, *, threads: int = 2) -> dict[str, float]:
    """Return for each arm the seconds of a training step over those of the reference arm.

    Arms take steps in turn; the ratio is the median of those of steps taken in the same turn.
    """
    torch.set_num_threads(threads)
    steps = {arm: stepper(config, torch.device("cpu")) for arm, config in configs.items()}
    seconds = interleaved(steps, repetitions=REPETITIONS, warmup=WARMUP)
    return {arm: paired_ratio(taken, seconds[reference]) for arm, taken in seconds.items()}


def cost_table(result: Mapping[str, Any], reference: str) -> str:
    """Return a table of what the trainings were given and of what they cost; empty where that was not measured."""
    ratios = result.get("step_ratios")
    if not ratios:
        return ""
    given = {"masks": result["uses_masks"], "groups": result["uses_groups"]}
    lines = [
        f"| {arm} | {listing([name for name, uses in given.items() if uses[arm]] or ['nothing'])} | {ratio:.2f} |"
        for arm, ratio in ratios.items()
    ]
    head = f"| arm | is given | a step takes, times that of {reference} |"
    changed = [field for arm in result["study"]["arms"] for field in arm["changes"]]
    besides = [what for start, what in NO_STEP.items() if any(field.startswith(start) for field in changed)]
    note = ["", f"A step leaves out {listing(besides)}."] if besides else []
    return "\n".join([head, "| --- | --- | ---: |", *lines, *note])
