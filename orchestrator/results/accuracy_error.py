"""The number of images of each accuracy, and which accuracies differ beyond chance."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trainables.metric_names import SHIFTED, SPLITS

Row = Mapping[str, Any]
"""A trial as `--json` prints it."""
SIZES = {"worst_group_accuracy": "worst_group_size", "group_adjusted_accuracy": "group_adjusted_size"}
"""Accuracy of groups -> the metric that is its number of images."""
QUANTILE = 1.959964
"""Beyond it lie 5 % of a normal distribution, on both sides together."""


def num_images(metrics: Mapping[str, float | None], data: Mapping[str, Any]) -> dict[str, int]:
    """Return by accuracy the number of its images, skipped ones left out, as far as the trial recorded it.

    Args:
        metrics: The trial's. Those of `SIZES` are the numbers of accuracies of groups.
        data: What `data.json` holds. That of earlier versions lacks the sizes of shifted sets.
    """
    sizes = {
        **{f"{split}/": data.get(f"num_{split}") for split in SPLITS},
        **{f"{SHIFTED}{name}/": num for name, num in data.get("num_shift", {}).items()},
        **{f"val/{SHIFTED}{name}/": num for name, num in data.get("num_val_shift", {}).items()},
    }
    found = {
        **{f"{of}accuracy": num - (metrics.get(f"{of}skipped_samples") or 0) for of, num in sizes.items() if num},
        **{f"{split}/{name}": metrics.get(f"{split}/{size}") for split in SPLITS for name, size in SIZES.items()},
    }
    return {name: round(num) for name, num in found.items() if num and metrics.get(name) is not None}


def differ(accuracy: float, num: int, other: float, num_other: int) -> bool:
    """Return whether two accuracies differ by the two-sided z test of two proportions at 5 %, with pooled variance:

    `|p_1 - p_2| > 1.96 sqrt(p (1 - p) (1 / n_1 + 1 / n_2))`, p the accuracy on all n_1 + n_2 images together. The test
    takes the images as independent. Where they are the same, it finds fewer differences than a paired one.
    """
    pooled = (accuracy * num + other * num_other) / (num + num_other)
    variance = pooled * (1 - pooled) * (1 / num + 1 / num_other)
    return abs(accuracy - other) > QUANTILE * math.sqrt(max(variance, 0.0))


def within_noise(ranking: Sequence[Row], metric: str) -> list[str]:
    """Return the ids of the first trials of a ranking, up to the one whose accuracy differs from that of the first.

    Empty where `metric` is no accuracy, or where a trial did not record the number of its images.
    """
    if not all(_share(row, metric) for row in ranking):
        return []
    apart = [index for index, row in enumerate(ranking) if not is_noise(ranking[0], row, metric)]
    return [row["trial_id"] for row in ranking[: min(apart, default=len(ranking))]]


def is_noise(row: Row, other: Row, metric: str) -> bool:
    """Return whether it is known that the accuracies of two trials do not differ beyond noise."""
    ours, theirs = _share(row, metric), _share(other, metric)
    return ours is not None and theirs is not None and not differ(*ours, *theirs)


def _share(row: Row, metric: str) -> tuple[float, int] | None:
    value, num = row["metrics"].get(metric), row.get("num_images", {}).get(metric)
    return None if value is None or num is None else (value, num)
