"""Names of metrics: the split that each is measured on, and what earlier versions called them."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal, TypeVar, get_args

logger = logging.getLogger(__name__)

Split = Literal["val", "test"]
T = TypeVar("T")

SPLITS: tuple[Split, ...] = get_args(Split)

SHIFTED = "shift/"
"""Begins the metrics of the shifted test sets."""
GROUP_GAP = "group_gap/"
"""Begins the metrics of what is lost where something is uncommon for the class of a group."""
GROUP_METRICS = ("worst_group_accuracy", "worst_group_size", "group_adjusted_accuracy", "group_adjusted_size")
"""Metrics, without their split, of images that belong to groups."""
_WITHOUT_SPLIT = ("adversarial/", "attribution/", "background/", "faithfulness/", "localisation/", "ood/")
"""Beginnings of metrics in earlier versions, whose evaluations measured one held-out set."""
_RENAMED = {
    "background/worst_group": "worst_group_accuracy",
    "background/group_adjusted_accuracy": "group_adjusted_accuracy",
}


def of_split(metric: str, split: Split) -> str:
    """Return the name of a metric on a split: `val/accuracy`, `test/accuracy`, and `shift/<set>/accuracy` of test."""
    return metric if split == "test" and metric.startswith(SHIFTED) else f"{split}/{metric}"


def distinct(names: Sequence[str], unsafe: re.Pattern[str]) -> list[str]:
    """Return the names with `_` for what is unsafe in a metric's; where that makes two alike, with a hash of each."""
    safe = [unsafe.sub("_", name) for name in names]
    count = Counter(safe)
    return [
        each if count[each] == 1 else f"{each}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
        for each, name in zip(safe, names, strict=True)
    ]


def without_split(metric: str) -> tuple[str, Split | None]:
    """Return the name of a metric without its split, and the split; None for what training reports."""
    for split in ("val", "test"):
        if metric.startswith(f"{split}/"):
            return metric.removeprefix(f"{split}/"), split
    return metric, "test" if metric.startswith(SHIFTED) else None


def current_metric(name: str) -> str:
    """Return today's name of a metric or a pattern; that old names are read is logged once a process."""
    if not name.startswith(_WITHOUT_SPLIT):
        return name
    _log_once()
    return of_split(_RENAMED.get(name, name), "val")


def with_current_metrics(values: Mapping[str, T]) -> dict[str, T]:
    """Return values by metric under the names of today."""
    return {current_metric(name): value for name, value in values.items()}


def why_not_to_choose_by(metric: str) -> str | None:
    """Return why no goal, early stop or epoch may be chosen by a metric, and by which instead; None where it may."""
    name, split = without_split(metric)
    if split != "test":
        return None
    images = "a shifted test set, which is" if name.startswith(SHIFTED) else "the test images, which are"
    return f"{metric} is measured on {images} only reported; choose by {nearest_of_validation(metric)}"


def nearest_of_validation(metric: str) -> str:
    """Return the metric of the validation images that says most about another; the worst group stands for a shift."""
    name, _ = without_split(metric)
    last = name.rpartition("/")[2]
    if not name.startswith(SHIFTED):
        return of_split(name, "val")
    return of_split("worst_group_accuracy" if last == "accuracy" else last, "val")


@cache
def _log_once() -> None:
    logger.warning(
        "metrics are named by their split: background/influence_share, for example, is now "
        "val/background/influence_share; the old names are still read"
    )
