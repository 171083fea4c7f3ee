"""Norms of maps that take torch's batch norm's place.

B batch, C channels, H W map.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainables.models.eval_mode import in_eval_mode

MAX_GROUPS = 32
"""As many groups as Wu & He 2018 take."""
FEW_IMAGES = 16
"""Of fewer in a first batch, or of fewer than `FEW_VALUES` a channel, a channel's own variance is no estimate."""
FEW_VALUES = 64
ALPHA = 0.5
"""What Zhu et al. 2025 start from."""
NOISE_SIZE = 128
"""Pixels of a side; a map of stride 32 then has four cells a side, most of whose neighbours are no padding."""


class StoredNorm(nn.Module):
    """Batch norm by stored statistics, in train mode too: `weight * (x - mean) / sqrt(var + eps) + bias`.

    No image then depends on the others of its batch, nor does a gradient pass through the statistics. Weight and bias
    are trained.

    Args:
        momentum: Share of a training batch's own mean and unbiased variance in the statistics that the next batch is
            normalised by, without gradient. The very first batch, which has none before it, is normalised by its own,
            or, if it is of few images or values, by the mean and variance of all its channels together. None never
            changes the statistics.

    Raises:
        ValueError: A batch that the statistics follow has one value a channel, which has no variance.
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
            if x_BCHW.numel() == x_BCHW.shape[1]:
                raise ValueError(
                    "norm = running takes a variance over a training batch's images and cells, and found one value a "
                    f"channel in a map {'x'.join(map(str, x_BCHW.shape))}; take two images or more at a time, larger "
                    "images, a smaller cam_stride, or norm = group"
                )
            mean_C, var_C = _follow(x_BCHW.detach(), mean_C, var_C, self.num_batches_tracked, self.momentum)
        return nn.functional.batch_norm(x_BCHW, mean_C, var_C, self.weight, self.bias, training=False, eps=self.eps)


# One operator, for torch.compile would compute what is returned a second time in the backward pass, from statistics
# that have moved by then.
@torch.library.custom_op("campaign::follow", mutates_args=("stored_mean_C", "stored_var_C", "num_batches"))
def _follow(
    x_BCHW: Tensor, stored_mean_C: Tensor, stored_var_C: Tensor, num_batches: Tensor, momentum: float
) -> tuple[Tensor, Tensor]:
    """Return copies of the statistics to normalise by, and move the stored ones towards the batch's."""
    var_C, mean_C = torch.var_mean(x_BCHW.to(stored_mean_C.dtype), (0, 2, 3))
    first_mean_C, first_var_C = mean_C, var_C
    if len(x_BCHW) < FEW_IMAGES or x_BCHW.numel() < FEW_VALUES * x_BCHW.shape[1]:
        first_mean_C, first_var_C = _of_all_channels(mean_C, var_C)
    is_first = num_batches == 0
    used_mean_C = torch.where(is_first, first_mean_C, stored_mean_C)
    used_var_C = torch.where(is_first, first_var_C, stored_var_C)
    stored_mean_C.copy_(used_mean_C.lerp(mean_C, momentum))
    stored_var_C.copy_(used_var_C.lerp(var_C, momentum))
    num_batches.add_(1)
    return used_mean_C, used_var_C


@_follow.register_fake
def _(_x_BCHW: Tensor, stored_mean_C: Tensor, stored_var_C: Tensor, *_: object) -> tuple[Tensor, Tensor]:
    """Return what has the results' shapes, from which a graph is traced."""
    return torch.empty_like(stored_mean_C), torch.empty_like(stored_var_C)


def _of_all_channels(mean_C: Tensor, var_C: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of all channels' values, and their mean variance plus that of their means.

    A few images agree in some channels by chance. Divided by the root of a variance near 0, other images would grow
    from layer to layer, to logits of 1e23 in an EfficientNetV2.
    """
    mean = mean_C.mean()
    return mean, var_C.mean() + (mean_C - mean).square().mean()


class DynamicTanh(nn.Module):
    """`weight * tanh(alpha * x) + bias`, alpha one number, weight and bias one a channel (Zhu et al. 2025).

    Alpha starts from 0.5, for an x of standard deviation 1; `scale_to_noise` sees to that in a network.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(ALPHA * torch.ones(1))
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.weight.view(-1, 1, 1) * torch.tanh(self.alpha * x_BCHW) + self.bias.view(-1, 1, 1)


@torch.no_grad()
def scale_to_noise(trunk: nn.Module) -> None:
    """Divide each alpha of the dynamic tanhs by the standard deviation of what it is multiplied with, for white noise.

    A tanh, unlike a norm, does not restore a scale that is lost before it. Without this a signal fades from layer to
    layer: an EfficientNetV2's features would be below 1e-10, whatever the image, and no gradient would move them.
    Zhu et al. 2025 find that alpha follows that quotient in training. Nothing is drawn from torch's global generator.
    """
    tanhs = [module for module in trunk.modules() if isinstance(module, DynamicTanh)]
    if not tanhs:
        return
    noise_BCHW = torch.randn(1, 3, NOISE_SIZE, NOISE_SIZE, generator=torch.Generator().manual_seed(0))
    handles = [tanh.register_forward_pre_hook(_scale) for tanh in tanhs]
    try:
        with in_eval_mode(trunk):
            trunk(noise_BCHW.to(tanhs[0].alpha.device))
    finally:
        for handle in handles:
            handle.remove()


def _scale(tanh: nn.Module, inputs: tuple[Tensor]) -> None:
    assert isinstance(tanh, DynamicTanh)
    tanh.alpha.div_(inputs[0].std().clamp_min(torch.finfo(torch.float32).tiny))


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


def with_sync_batchnorm(network: nn.Module) -> nn.Module:
    """Return a network whose batch norms are SyncBatchNorms; those of timm keep the activation that they apply."""
    if any(type(module).__name__ == "BatchNormAct2d" for module in network.modules()):
        from timm.layers.norm_act import convert_sync_batchnorm
    else:
        convert_sync_batchnorm = nn.SyncBatchNorm.convert_sync_batchnorm
    synchronised: nn.Module = convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return synchronised
