"""The optimiser and the learning rate's course."""

import math
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from trainables.config import Adam as AdamConfig
from trainables.config import OptimConfig, Sgd
from trainables.models import Stage


def build_optimizer(config: OptimConfig, model: nn.Module, stages: Sequence[Stage] = ()) -> Optimizer:
    """Build the optimiser; parameters of fewer than two dimensions are decayed only where the config says so.

    On CUDA it is fused: one kernel for all parameters, instead of several for each operation.

    Args:
        config: The optimiser's settings.
        model: All of its parameters are updated, those outside the stages at the head's rate.
        stages: The parts of its backbone from the input to the output.
    """
    groups = _groups(config, model, stages)
    fused = all(parameter.is_cuda for parameter in model.parameters()) or None  # None leaves the choice to torch.
    if isinstance(config, Sgd):
        return SGD(groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.nesterov, fused=fused)
    if isinstance(config, AdamConfig):
        return Adam(groups, lr=config.learning_rate, fused=fused)
    return AdamW(groups, lr=config.learning_rate, fused=fused)


def _groups(config: OptimConfig, model: nn.Module, stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """Return two groups of parameters for each learning rate: matrices, and what is not decayed by default.

    A stage's rate is that of the head, without its own factor, times `layer_decay` for each step between them
    (Bao et al. 2022, BEiT).
    """
    scale_of = {
        parameter: config.layer_decay ** (len(stages) - number)
        for number, stage in enumerate(stages)
        for parameter in stage.parameters
    }
    by_scale: dict[float, list[nn.Parameter]] = {}
    for parameter in model.parameters():
        by_scale.setdefault(scale_of.get(parameter, config.head_multiplier), []).append(parameter)
    of_vectors = config.weight_decay if config.decay_biases_and_norms else 0.0
    return [
        {
            "params": [parameter for parameter in parameters if (parameter.ndim >= 2) == are_matrices],
            "lr": config.learning_rate * scale,
            "weight_decay": config.weight_decay if are_matrices else of_vectors,
        }
        for scale, parameters in by_scale.items()
        for are_matrices in (True, False)
    ]


def build_schedule(config: OptimConfig, optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LambdaLR:
    """Build the schedule that is stepped after every optimiser step."""
    warmup_steps = config.warmup_epochs * steps_per_epoch

    def factor(step: int) -> float:
        return rate_factor(
            step, warmup_steps=warmup_steps, steps=epochs * steps_per_epoch, final_fraction=config.final_fraction
        )

    return LambdaLR(optimizer, factor)


def rate_factor(step: int, *, warmup_steps: float, steps: int, final_fraction: float) -> float:
    """Return the rate at `step` (from 0) over the peak rate: a linear warm-up, then half a cosine.

    The cosine runs from 1 to `final_fraction` (Loshchilov and Hutter 2017, eq. 5, without restarts).
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    progress = min(1.0, (step - warmup_steps) / max(1.0, steps - warmup_steps))
    return final_fraction + (1 - final_fraction) * 0.5 * (1 + math.cos(math.pi * progress))
