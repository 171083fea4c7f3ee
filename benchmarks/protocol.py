"""On which images a stored result was chosen and reported, and which of them its trainings saw with masks."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.files.text import listing
from trainables.metric_names import of_split, without_split

EARLIER = (
    "**Earlier protocol:** one held-out set, here `val/...`, served both to choose settings and to report them. There "
    "were no test images."
)
"""The first line of a section whose result is earlier."""
MAX_NAMED = 20
"""Arms that are listed as trained with masks; of more only the number is."""


def is_earlier(result: Mapping[str, Any]) -> bool:
    """Return whether a result has no metric of test images, as all results of the earlier protocol."""
    return not any(key.startswith("test/") for key in _keys(result))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for item in inner:
        yield from _keys(item)


def reported_today(metric: str) -> str:
    """Return today's name of an earlier metric, whose held-out set has become the test set."""
    name, split = without_split(metric)
    return of_split(name, "test") if split == "val" else metric


def _is_shown(metric: str, result: Mapping[str, Any]) -> bool:
    """Whether the table of a study has a metric of the same set; a shifted set that it leaves out is not counted."""
    if "study" not in result or not metric.startswith("shift/"):
        return True
    return metric in {shown["metric"] for shown in result["study"]["metrics"]}


def protocol_sentences(result: Mapping[str, Any]) -> str:
    """Say what the trainings saw and how many images there are; empty for an earlier result, which did not note it."""
    if "uses_masks" not in result:
        return ""
    users = [name for name, uses in result["uses_masks"].items() if uses]
    others = [name for name, uses in result["uses_masks"].items() if not uses]
    with_groups = [name for name, uses in result.get("uses_groups", {}).items() if uses]
    groups = f"Trained with groups: {listing(with_groups)}." if with_groups else "No training uses groups."
    images = [f"{number} in `{metric}`" for metric, number in result["num_images"].items() if _is_shown(metric, result)]
    shown = listing(users or ["none"]) if len(users) <= MAX_NAMED else f"{len(users)} arms, all but those named next"
    return (
        f"Trained with masks: {shown}. Trained without: {listing(others or ['none'])}. "
        f"{groups} Numbers of images: {listing(images)}."
    )
