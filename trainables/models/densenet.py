"""torchvision's DenseNets without their head."""

import re

from torch import nn

from trainables.models.family import Family
from trainables.models.surgery import children_but, replace

_OLD_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")


def cut(network: nn.Module, *, final_norm: bool, final_relu: bool) -> tuple[nn.Sequential, list[str]]:
    """Leave the linear layer out, and make the rectification that torchvision calls as a function a part."""
    trunk = children_but(network, {"classifier"})
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


DENSENET = Family(cut, down_sampling=("features.transition3", "features.transition2", "features.transition1"))
