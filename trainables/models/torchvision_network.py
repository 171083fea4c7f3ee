"""A network of torchvision, cut before its pooling and edited as its config says."""

from torch import nn
from torchvision.models import get_model

from trainables.config import Torchvision
from trainables.models.architecture import Architecture, Stages
from trainables.models.backbone import IMAGENET_MEAN, IMAGENET_STD, Backbone
from trainables.models.convnext import CONVNEXT
from trainables.models.densenet import DENSENET
from trainables.models.efficientnet import EFFICIENTNET_V2
from trainables.models.pretrained import WeightsFile, check_layout, find_weights, load_weights, read_weights
from trainables.models.regnet import REGNET
from trainables.models.resnet import DEEP_RESNET, RESNET
from trainables.models.surgery import keep_resolution, replace_activations, replace_norms

ARCHITECTURES: dict[str, Architecture] = {
    "resnet18": RESNET,
    "resnet34": RESNET,
    "resnet50": RESNET,
    "resnet101": DEEP_RESNET,
    "resnet152": DEEP_RESNET,
    "wide_resnet50_2": RESNET,
    "wide_resnet101_2": DEEP_RESNET,
    "resnext50_32x4d": RESNET,
    "resnext101_32x8d": DEEP_RESNET,
    "resnext101_64x4d": DEEP_RESNET,
    "convnext_tiny": CONVNEXT,
    "convnext_small": CONVNEXT,
    "convnext_base": CONVNEXT,
    "convnext_large": CONVNEXT,
    "efficientnet_v2_s": EFFICIENTNET_V2,
    "efficientnet_v2_m": EFFICIENTNET_V2,
    "efficientnet_v2_l": EFFICIENTNET_V2,
    "regnet_x_400mf": REGNET,
    "regnet_x_800mf": REGNET,
    "regnet_x_1_6gf": REGNET,
    "regnet_x_3_2gf": REGNET,
    "regnet_x_8gf": REGNET,
    "regnet_x_16gf": REGNET,
    "regnet_x_32gf": REGNET,
    "regnet_y_400mf": REGNET,
    "regnet_y_800mf": REGNET,
    "regnet_y_1_6gf": REGNET,
    "regnet_y_3_2gf": REGNET,
    "regnet_y_8gf": REGNET,
    "regnet_y_16gf": REGNET,
    "regnet_y_32gf": REGNET,
    "densenet121": DENSENET,
    "densenet161": DENSENET,
    "densenet169": DENSENET,
    "densenet201": DENSENET,
}


def torchvision_network(config: Torchvision, *, pretrained: bool, image_size: int | None) -> Backbone:  # noqa: ARG001
    """Build the network of `config` from random weights, and load those that it names if `pretrained`.

    Raises:
        ConfigError: The file of weights is missing or holds another network.
    """
    architecture = ARCHITECTURES[config.kind]
    network = get_model(config.kind, weights=None, **architecture.options)
    head_name, head = _head(network)
    file = _read(config, network, head_name) if pretrained else None
    trunk, strip_edits = architecture.strip_head(network, final_norm=config.final_norm, final_relu=config.final_relu)
    edits = [
        *keep_resolution(trunk, config.cam_stride, architecture.down_sampling),
        *strip_edits,
        *replace_norms(trunk, config.norm),
        *replace_activations(trunk, config.activation),
    ]
    mean, std = _colours(config)
    return Backbone(
        trunk,
        head.in_features,
        tuple(edits),
        mean=mean,
        std=std,
        pretrained=None if file is None else load_weights(file, trunk),
        stages=_present(architecture.stages, trunk),
    )


def _present(stages: Stages, trunk: nn.Module) -> Stages:
    """Return the stages with the submodules that the trunk has."""
    names = {name for name, _ in trunk.named_modules()}
    found = (tuple(name for name in stage if name in names) for stage in stages)
    return tuple(stage for stage in found if stage)


def _head(network: nn.Module) -> tuple[str, nn.Linear]:
    """Return the last linear layer and its name."""
    return [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]


def _read(config: Torchvision, network: nn.Module, head_name: str) -> WeightsFile | None:
    if config.weights is None:
        return None
    file = read_weights(find_weights(config.kind, config.weights), config.weights_file)
    check_layout(file, network, kind=config.kind, head=head_name)
    return file


def _colours(config: Torchvision) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation of the images that the weights were trained on."""
    if config.weights is None:
        return IMAGENET_MEAN, IMAGENET_STD
    images = find_weights(config.kind, config.weights).transforms()
    return tuple(images.mean), tuple(images.std)
