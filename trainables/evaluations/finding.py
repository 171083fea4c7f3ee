"""What an evaluation found: figures, curves, pictures, and under which settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

Metrics = dict[str, float]


@dataclass(frozen=True)
class Curve:
    """One line of a chart; the curves of a finding that share `chart` are drawn together."""

    chart: str
    name: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Finding:
    """The result of one evaluation."""

    metrics: Metrics
    curves: tuple[Curve, ...] = ()
    pictures: Mapping[str, Image] = field(default_factory=dict)
    """By a name that is safe as a file name."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How many pictures, which seed, radii, thresholds, and what was left out, in JSON's types."""
    samples: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By metric, each picture's value by its id, so that two networks can be compared on the same pictures.

    A picture without a value is left out. `correct` is 1 where the network predicts the label and 0 elsewhere.
    """


class NotPossibleError(Exception):
    """An evaluation lacks what it needs; the message says what."""
