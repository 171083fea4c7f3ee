"""A plain convolutional network for small images."""

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import nn

from trainables.models.backbone import Backbone
from trainables.models.norms import make_norm

MAX_GROUPS = 8
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "elu": nn.ELU,
    "gelu": nn.GELU,
}


def small_cnn(
    *, width: int, norm: str, activation: str, cam_stride: int, final_norm: bool, final_relu: bool
) -> Backbone:
    """Stack 3x3 convolutions, each followed by norm and activation.

    `log2(cam_stride)` blocks halve the resolution and two more keep it, so a cell of the map sees
    `6 * cam_stride - 1` pixels. The first block has `width` channels, the others twice as many.
    """
    num_halving = int(math.log2(cam_stride))
    channels = [width, *[2 * width] * (num_halving + 1)]
    num_blocks = len(channels)
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    edits: list[str] = []
    for number, (num_in, num_out) in enumerate(zip([3, *channels], channels, strict=False), start=1):
        last = number == num_blocks
        blocks[f"block{number}"] = _block(
            num_in,
            num_out,
            stride=2 if number <= num_halving else 1,
            norm=None if last and not final_norm else norm,
            activation=activation if final_relu or not last else None,
        )
    if not final_norm:
        edits.append(f"block{num_blocks}: no norm after the convolution")
    if not final_relu:
        edits.append(f"block{num_blocks}: no activation")
    stages = tuple((name,) for name in blocks)
    return Backbone(nn.Sequential(blocks), channels[-1], tuple(edits), stages=stages)


def _block(num_in: int, num_out: int, *, stride: int, norm: str | None, activation: str | None) -> nn.Sequential:
    conv = nn.Conv2d(num_in, num_out, kernel_size=3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
    if norm is not None:
        layers["norm"] = make_norm(norm, num_out, max_groups=MAX_GROUPS)
    if activation is not None:
        layers["activation"] = ACTIVATIONS[activation]()
    return nn.Sequential(layers)
