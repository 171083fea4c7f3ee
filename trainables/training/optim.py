"""The optimiser and the learning rate's course."""

import math

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from trainables.config import Adam as AdamConfig
from trainables.config import OptimConfig, Sgd


def build_optimizer(config: OptimConfig, model: nn.Module) -> Optimizer:
    """Build the optimiser; parameters of fewer than two dimensions are decayed only where the config says so.

    On CUDA it is fused: one kernel for all parameters, instead of several for each operation.
    """
    matrices = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": config.weight_decay if config.decay_biases_and_norms else 0.0},
    ]
    fused = all(parameter.is_cuda for parameter in model.parameters()) or None  # None leaves the choice to torch.
    if isinstance(config, Sgd):
        return SGD(groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.nesterov, fused=fused)
    if isinstance(config, AdamConfig):
        return Adam(groups, lr=config.learning_rate, fused=fused)
    return AdamW(groups, lr=config.learning_rate, fused=fused)


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
