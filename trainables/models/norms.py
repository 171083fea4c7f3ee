"""Norms of maps that take torch's batch norm's place.

B batch, C channels, H W map.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

MAX_GROUPS = 32
"""As many groups as Wu & He 2018 take."""


class StoredNorm(nn.Module):
    """Batch norm by stored statistics, in train mode too: `weight * (x - mean) / sqrt(var + eps) + bias`.

    No picture then depends on the others of its batch, nor does a gradient pass through the statistics. Weight and bias
    are trained.

    Args:
        momentum: Share of a training batch's own mean and unbiased variance in the statistics that the next batch is
            normalised by, without gradient. The very first batch, which has none before it, is normalised by its own.
            None never changes the statistics.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_channels: int, *, eps: float, momentum: float | None) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.register_buffer("running_mean", torch.zeros(num_channels))
        self.register_buffer("running_var", torch.ones(num_channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        mean_C, var_C = self.running_mean, self.running_var
        if self.training and self.momentum is not None:
            mean_C, var_C = self._follow(x_BCHW.detach(), self.momentum)
        return nn.functional.batch_norm(x_BCHW, mean_C, var_C, self.weight, self.bias, training=False, eps=self.eps)

    @torch.no_grad()
    def _follow(self, x_BCHW: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
        """Return copies of the statistics to normalise by, and move the stored ones towards the batch's."""
        var_C, mean_C = torch.var_mean(x_BCHW.to(self.running_mean.dtype), (0, 2, 3))
        is_first = self.num_batches_tracked == 0
        used_mean_C = torch.where(is_first, mean_C, self.running_mean)
        used_var_C = torch.where(is_first, var_C, self.running_var)
        self.running_mean.copy_(used_mean_C.lerp(mean_C, momentum))
        self.running_var.copy_(used_var_C.lerp(var_C, momentum))
        self.num_batches_tracked.add_(1)
        return used_mean_C, used_var_C


class DynamicTanh(nn.Module):
    """`weight * tanh(alpha * x) + bias`, alpha one number, weight and bias one a channel (Zhu et al. 2025)."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full((1,), 0.5))
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.weight.view(-1, 1, 1) * torch.tanh(self.alpha * x_BCHW) + self.bias.view(-1, 1, 1)


class AcrossLastDimension(nn.Module):
    """Applies a norm of maps B,C,H,W to tensors B,H,W,C."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x_BHWC: Tensor) -> Tensor:
        x_BCHW: Tensor = self.norm(x_BHWC.permute(0, 3, 1, 2))
        return x_BCHW.permute(0, 2, 3, 1)


NORMS: dict[str, Callable[..., nn.Module]] = {
    "batch": lambda channels, eps, momentum, _: nn.BatchNorm2d(channels, eps=eps, momentum=momentum),
    "frozen": lambda channels, eps, *_: StoredNorm(channels, eps=eps, momentum=None),
    "running": lambda channels, eps, momentum, _: StoredNorm(channels, eps=eps, momentum=momentum),
    "group": lambda channels, eps, _, groups: nn.GroupNorm(math.gcd(groups, channels), channels, eps=eps),
    "dynamic_tanh": lambda channels, *_: DynamicTanh(channels),
}


def make_norm(
    kind: str, num_channels: int, *, eps: float = 1e-5, momentum: float = 0.1, max_groups: int = MAX_GROUPS
) -> nn.Module:
    """Build a norm of maps B,C,H,W; groups are as many as divide both `max_groups` and the channels."""
    return NORMS[kind](num_channels, eps, momentum, max_groups)
