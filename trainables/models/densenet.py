"""torchvision's DenseNets without their head."""

import re

from torch import nn

from trainables.models.architecture import Architecture
from trainables.models.surgery import replace, without_children

_OLD_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")


def strip_head(network: nn.Module, *, final_norm: bool, final_relu: bool) -> tuple[nn.Sequential, list[str]]:
    """Leave the linear layer out, and make a submodule of the ReLU that torchvision calls as a function."""
    trunk = without_children(network, {"classifier"})
    edits = []
    if not final_norm:
        replace(trunk, "features.norm5", nn.Identity())
        edits.append("features.norm5: no norm")
    if final_relu:
        trunk.add_module("relu", nn.ReLU(inplace=True))
        edits.append("relu: a part of the trunk, before the pooling")
    else:
        edits.append("relu: no activation before the pooling")
    return trunk, edits


def modern_name(name: str) -> str:
    """Return a tensor's name in torchvision's DenseNets of today, `norm1.weight` for `norm.1.weight` of the files."""
    return _OLD_NAME.sub(r"\1\2", name)


DENSENET = Architecture(
    strip_head,
    down_sampling=("features.transition3", "features.transition2", "features.transition1"),
    stages=(
        ("features.conv0", "features.norm0"),
        ("features.denseblock1", "features.transition1"),
        ("features.denseblock2", "features.transition2"),
        ("features.denseblock3", "features.transition3"),
        ("features.denseblock4", "features.norm5"),
    ),
)
