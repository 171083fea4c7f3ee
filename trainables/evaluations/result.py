"""What an evaluation returns: metrics, curves, images, documents, and its settings.

N samples.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from PIL.Image import Image
from torch import Tensor

from trainables.metric_names import Split, of_split, without_split

Metrics = dict[str, float]
CORRECT = "correct"
"""The sample that is 1 for the images that a network predicts right; it is no metric."""


@dataclass(frozen=True)
class Curve:
    """One line of a chart; curves of a result that share `chart` are drawn together."""

    chart: str
    name: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class EvaluationResult:
    """The result of one evaluation."""

    metrics: Metrics
    curves: tuple[Curve, ...] = ()
    images: Mapping[str, Image] = field(default_factory=dict)
    """By a name that is safe as a file name."""
    documents: Mapping[str, Any] = field(default_factory=dict)
    """What pages show beyond metrics, curves and images, in JSON's types, by a name that is safe as a file name."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How many images, which seed, radii, thresholds, and what was left out, in JSON's types."""
    samples: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By metric, each image's value by its id, so that two networks can be compared on the same images.

    An image without a value is left out. An evaluation whose values mean little for wrongly predicted images adds
    `correct`: 1 where it predicts the label and 0 elsewhere. Networks are then compared where both are right.
    """
    sources: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By metric, the source of each image by its id, such as a patient. What an evaluation gives itself is of another
    set than its split, and may be of more images."""


def on_split(result: EvaluationResult, split: Split) -> EvaluationResult:
    """Return the result with the split in the names of its metrics, which shifted sets have already."""
    return replace(
        result,
        metrics={_named(name, split): value for name, value in result.metrics.items()},
        samples={name if name == CORRECT else _named(name, split): by for name, by in result.samples.items()},
        sources={_named(name, split): by for name, by in result.sources.items()},
    )


def with_sources(result: EvaluationResult, sources: Mapping[str, Mapping[str, int]]) -> EvaluationResult:
    """Return the result with the sources of its images.

    Args:
        result: Of an evaluation. Where it names the sources of a metric's set itself, those hold.
        sources: By the beginning of metrics, the source of each image by its id; the first that fits holds.
    """
    found: dict[str, Mapping[str, int]] = {}
    for metric, values in result.samples.items():
        of_set = next(by_id for start, by_id in sources.items() if metric.startswith(start))
        by_id = result.sources.get(metric, of_set)
        found[metric] = {image: by_id[image] for image in values if image in by_id}
    return replace(result, sources={metric: by_id for metric, by_id in found.items() if by_id})


def _named(metric: str, split: Split) -> str:
    return metric if without_split(metric)[1] else of_split(metric, split)


class NotPossibleError(Exception):
    """An evaluation lacks what it needs; the message says what."""


def by_image(ids: Iterable[str], values_N: Tensor) -> dict[str, float]:
    """Return each image's value by its id, without those that are nan."""
    values = values_N.double().tolist()
    return {image: value for image, value in zip(ids, values, strict=True) if not math.isnan(value)}
