"""torchvision's ResNets without their head, and with the surgery asked for."""

from torch import nn
from torchvision.models import resnet as torchvision_resnet

from trainables.config.model import ResNetKind
from trainables.models.backbone import Backbone
from trainables.models.surgery import keep_resolution, remove_final_norm, remove_final_relu

CONSTRUCTORS = {
    "resnet18": torchvision_resnet.resnet18,
    "resnet34": torchvision_resnet.resnet34,
    "resnet50": torchvision_resnet.resnet50,
    "resnet101": torchvision_resnet.resnet101,
    "resnet152": torchvision_resnet.resnet152,
}


def resnet(kind: ResNetKind, *, cam_stride: int, final_norm: bool, final_relu: bool) -> Backbone:
    """Build a ResNet from random weights; the names of its parameters are torchvision's."""
    network = CONSTRUCTORS[kind](weights=None)
    trunk = nn.Sequential()
    for name, part in network.named_children():
        if name not in {"avgpool", "fc"}:
            trunk.add_module(name, part)
    edits = keep_resolution(trunk, cam_stride)
    if not final_norm:
        edits += remove_final_norm(trunk)
    if not final_relu:
        edits += remove_final_relu(trunk)
    return Backbone(trunk, network.fc.in_features, tuple(edits))
