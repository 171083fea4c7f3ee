"""Rules by which settings follow those that a scale file changes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainables.config import ConfigError, ExperimentConfig, Sgd
from trainables.models import count_cells


@dataclass(frozen=True, slots=True)
class Scales:
    """A config at its old scale, and the same with the scale file's changes."""

    old: ExperimentConfig
    new: ExperimentConfig
    count_classes: Callable[[ExperimentConfig], int]
    """Looks into the data; it is called only where a rule needs it."""

    @property
    def batch_ratio(self) -> float:
        return self.new.training.batch_size / self.old.training.batch_size

    @property
    def cell_ratio(self) -> float:
        """Cells of the class activation map, new over old."""
        return _num_cells(self.new) / _num_cells(self.old)


Rule = Callable[[Scales], dict[str, Any]]
"""From the two scales to the fields that change with them."""


def transfer(rules: list[str], scales: Scales) -> dict[str, Any]:
    """Return the fields that the named rules change, and their values at the new scale.

    Raises:
        ConfigError: No such rule; the message lists the valid ones.
    """
    unknown = [name for name in rules if name not in RULES]
    if unknown:
        raise ConfigError(f"transfer: no rule {', '.join(unknown)}; valid rules: {', '.join(RULES)}")
    return {field: value for name in rules for field, value in RULES[name](scales).items()}


def learning_rate_with_batch(scales: Scales) -> dict[str, Any]:
    """Scale the learning rate with the batch: linearly for SGD (Goyal et al. 2017), by the root for AdamW.

    Source of the root: Malladi et al. 2022, "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms". Where
    the kind of optimiser changes, the rate stays.
    """
    optim = scales.new.optim
    if optim.kind != scales.old.optim.kind:
        return {}
    power = 1.0 if isinstance(optim, Sgd) else 0.5
    return _changed({"optim.learning_rate": optim.learning_rate}, scales.batch_ratio**power)


def ema_decay_with_batch(scales: Scales) -> dict[str, Any]:
    """Raise the moving average's decay to the power of the batch's ratio (Busbridge et al. 2023, definition 1.2)."""
    decay = scales.new.training.ema_decay
    if decay is None or scales.batch_ratio == 1:
        return {}
    return {"training.ema_decay": decay**scales.batch_ratio}


def divergence_with_grid(scales: Scales) -> dict[str, Any]:
    """Scale `map_scale` with the number of cells.

    Cells add up to the logits, so each is smaller on a finer grid; with the scale its softmax has the same input.
    """
    divergence = getattr(scales.new.objective, "divergence", None)
    if divergence is None:
        return {}
    return _changed({"objective.divergence.map_scale": divergence.map_scale}, scales.cell_ratio)


def wasserstein_with_grid_and_classes(scales: Scales) -> dict[str, Any]:
    """Scale the weight with the square of the number of cells, and inversely with the target logit.

    The term's gradient on a cell is proportional to `target_logit / cells^2`; that of the cross-entropy is not.
    """
    term = getattr(scales.new.objective, "sliced_wasserstein", None)
    if term is None:
        return {}
    old_logit, new_logit = (
        _target_logit(term.target_probability, scales.count_classes(config)) for config in (scales.old, scales.new)
    )
    factor = scales.cell_ratio**2 * old_logit / new_logit
    return _changed({"objective.sliced_wasserstein.weight": term.weight}, factor)


RULES: dict[str, Rule] = {
    "learning_rate_with_batch": learning_rate_with_batch,
    "ema_decay_with_batch": ema_decay_with_batch,
    "divergence_with_grid": divergence_with_grid,
    "wasserstein_with_grid_and_classes": wasserstein_with_grid_and_classes,
}
"""By the name under which a scale file lists them."""


def _changed(fields: Mapping[str, float], factor: float) -> dict[str, Any]:
    return {} if factor == 1 else {field: value * factor for field, value in fields.items()}


def _num_cells(config: ExperimentConfig) -> int:
    if config.model.cam_stride is None:
        return count_cells(config)
    return math.ceil(config.data.image_size / config.model.cam_stride) ** 2


def _target_logit(probability: float, num_classes: int) -> float:
    return math.log(probability * (num_classes - 1) / (1 - probability))
