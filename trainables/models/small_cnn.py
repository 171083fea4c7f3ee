"""A plain convolutional network for small pictures."""

import math
from collections import OrderedDict
from typing import Literal

from torch import nn

from trainables.models.backbone import Backbone

Norm = Literal["batch", "group"]
MAX_GROUPS = 8


def small_cnn(*, width: int, norm: Norm, cam_stride: int, final_norm: bool, final_relu: bool) -> Backbone:
    """Stack 3x3 convolutions, each followed by norm and ReLU.

    `log2(cam_stride)` blocks halve the resolution and two more keep it, so a cell of the map sees 23 pixels at
    stride 4 and 47 at stride 8. The first block has `width` channels, the others twice as many.
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
            relu=final_relu or not last,
        )
    if not final_norm:
        edits.append(f"block{num_blocks}: no norm after the convolution")
    if not final_relu:
        edits.append(f"block{num_blocks}: no activation")
    return Backbone(nn.Sequential(blocks), channels[-1], tuple(edits))


def _block(num_in: int, num_out: int, *, stride: int, norm: Norm | None, relu: bool) -> nn.Sequential:
    conv = nn.Conv2d(num_in, num_out, kernel_size=3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    parts: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
    if norm is not None:
        parts["norm"] = _norm(norm, num_out)
    if relu:
        parts["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(parts)


def _norm(kind: Norm, num_channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(num_channels)
    return nn.GroupNorm(math.gcd(MAX_GROUPS, num_channels), num_channels)
