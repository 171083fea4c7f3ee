"""From a model's config to a network with random weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from trainables.config import ModelConfig, ResNet, SmallCnn
from trainables.models.backbone import Backbone
from trainables.models.classifier import Classifier
from trainables.models.resnet import resnet
from trainables.models.small_cnn import small_cnn


@dataclass(frozen=True)
class BuiltModel:
    """A network, and how it differs from the plain architecture of its kind."""

    model: Classifier
    edits: tuple[str, ...]


def _small_cnn(config: SmallCnn) -> Backbone:
    return small_cnn(
        width=config.width,
        norm=config.norm,
        cam_stride=config.cam_stride,
        final_norm=config.final_norm,
        final_relu=config.final_relu,
    )


def _resnet(config: ResNet) -> Backbone:
    return resnet(config.kind, cam_stride=config.cam_stride, final_norm=config.final_norm, final_relu=config.final_relu)


BACKBONES: dict[str, Callable[[Any], Backbone]] = {
    "small_cnn": _small_cnn,
    "resnet18": _resnet,
    "resnet34": _resnet,
    "resnet50": _resnet,
    "resnet101": _resnet,
    "resnet152": _resnet,
}


def build_model(config: ModelConfig, *, num_classes: int) -> BuiltModel:
    """Build the network of `config`; its weights are drawn from torch's global generator, which the caller seeds."""
    if num_classes < 2:
        raise ValueError(f"num_classes = {num_classes}; a classifier needs at least 2")
    if config.kind not in BACKBONES:
        raise ValueError(f"model.kind = {config.kind!r} has no builder; valid kinds: {', '.join(BACKBONES)}")
    backbone = BACKBONES[config.kind](config)
    head = nn.Linear(backbone.num_features, num_classes, bias=config.head_bias)
    edits = backbone.edits if config.head_bias else (*backbone.edits, "head: no bias")
    return BuiltModel(Classifier(backbone.trunk, head), edits)
