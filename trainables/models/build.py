"""From a model's config to a network."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.config import ConfigError, ExperimentConfig, ModelConfig, Own, SmallCnn, Timm
from trainables.models.backbone import Backbone
from trainables.models.classifier import Classifier
from trainables.models.norms import scale_to_noise
from trainables.models.own_network import own_network
from trainables.models.pretrained import Pretrained
from trainables.models.small_cnn import small_cnn
from trainables.models.timm_network import timm_network
from trainables.models.torchvision_network import ARCHITECTURES, torchvision_network


@dataclass(frozen=True)
class BuiltModel:
    """A network, how it differs from the plain architecture of its kind, and what was loaded into it."""

    model: Classifier
    edits: tuple[str, ...]
    pretrained: Pretrained | None = None
    """None if all weights are random."""
    source_sha256: str | None = None
    """Of the text of the user's file that defines the network."""

    def describe(self) -> dict[str, Any]:
        """Return what a trial's `model.json` says."""
        num_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        weights = {} if self.pretrained is None else {"weights": asdict(self.pretrained)}
        source = {} if self.source_sha256 is None else {"source_sha256": self.source_sha256}
        return {"edits": self.edits, "num_parameters": num_parameters, **weights, **source}


def _small_cnn(config: SmallCnn, *, pretrained: bool, image_size: int | None) -> Backbone:  # noqa: ARG001
    return small_cnn(
        width=config.width,
        norm=config.norm,
        activation=config.activation,
        cam_stride=config.cam_stride,
        final_norm=config.final_norm,
        final_relu=config.final_relu,
    )


BACKBONES: dict[str, Callable[..., Backbone]] = {
    "small_cnn": _small_cnn,
    **dict.fromkeys(ARCHITECTURES, torchvision_network),
    "timm": timm_network,
    "own": own_network,
}


def build_model(
    config: ModelConfig, *, num_classes: int, pretrained: bool = True, image_size: int | None = None
) -> BuiltModel:
    """Build the network of `config`; its random weights come from torch's global generator, which the caller seeds.

    Args:
        pretrained: Load the weights that `config` names, if any; False where a checkpoint replaces them all, so that
            their file is not needed again.
        image_size: Pixels of a side of the images, for which some networks are made; None takes their own size.

    Raises:
        ConfigError: The weights are missing or another network's, or the network's logits are no sum of a map.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes = {num_classes}; a classifier needs at least 2")
    if config.kind not in BACKBONES:
        raise ValueError(f"model.kind = {config.kind!r} has no builder; valid kinds: {', '.join(BACKBONES)}")
    backbone = BACKBONES[config.kind](config, pretrained=pretrained, image_size=image_size)
    scale_to_noise(backbone.trunk)
    head = nn.Linear(backbone.num_features, num_classes, bias=config.head_bias)
    model = Classifier(backbone.trunk, head, mean=backbone.mean, std=backbone.std, stages=backbone.stages)
    edits = backbone.edits if config.head_bias else (*backbone.edits, "head: no bias")
    return BuiltModel(model, edits, backbone.pretrained, backbone.source_sha256)


def check_model(experiment: ExperimentConfig) -> None:
    """Raise ConfigError where what only a built network shows does not fit the experiment.

    That is whether the weights are there, whether timm or the user's file has such a network, its batch norms, and
    the size of its map.
    """
    config = experiment.model
    if not isinstance(config, Timm | Own) and getattr(config, "weights", None) is None:
        return
    built = build_model(config, num_classes=2, image_size=experiment.data.image_size)
    check_batch_norms(built.model, experiment)
    height, width = _map_sides(built.model, experiment.data.image_size)
    if min(height, width) < 2:
        raise ConfigError(
            f"data.image_size = {experiment.data.image_size} leaves a map of {height} x {width} cells in the network "
            f"of model.kind = {config.kind}, less than 2 x 2; enlarge the images, or set model.cam_stride to less"
        )


def check_batch_norms(model: nn.Module, experiment: ExperimentConfig) -> None:
    """Raise ConfigError where batch norms are to be synchronised and there are none."""
    if experiment.training.sync_batchnorm and not any(isinstance(part, _BatchNorm) for part in model.modules()):
        raise ConfigError(
            f"training.sync_batchnorm = true has no effect: the network of model.kind = {experiment.model.kind} has no "
            "batch norms"
        )


def count_cells(experiment: ExperimentConfig) -> int:
    """Return the number of cells of an image's map, which a network shows that is built for it."""
    size = experiment.data.image_size
    model = build_model(experiment.model, num_classes=2, pretrained=False, image_size=size).model
    height, width = _map_sides(model, size)
    return height * width


@torch.no_grad()
def _map_sides(model: Classifier, size: int) -> tuple[int, int]:
    height, width = model.eval()(torch.zeros(1, 3, size, size)).features.shape[2:]
    return int(height), int(width)
