"""From a model's config to a network."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from trainables.config import ModelConfig, SmallCnn, Torchvision
from trainables.models.backbone import Backbone
from trainables.models.classifier import Classifier
from trainables.models.norms import scale_to_noise
from trainables.models.pretrained import Pretrained
from trainables.models.small_cnn import small_cnn
from trainables.models.torchvision_network import ARCHITECTURES, torchvision_network


@dataclass(frozen=True)
class BuiltModel:
    """A network, how it differs from the plain architecture of its kind, and what was loaded into it."""

    model: Classifier
    edits: tuple[str, ...]
    pretrained: Pretrained | None = None
    """None if all weights are random."""

    def describe(self) -> dict[str, Any]:
        """Return what a trial's `model.json` says."""
        num_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        weights = {} if self.pretrained is None else {"weights": asdict(self.pretrained)}
        return {"edits": self.edits, "num_parameters": num_parameters, **weights}


def _small_cnn(config: SmallCnn, *, pretrained: bool) -> Backbone:  # noqa: ARG001
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
}


def build_model(config: ModelConfig, *, num_classes: int, pretrained: bool = True) -> BuiltModel:
    """Build the network of `config`; its random weights come from torch's global generator, which the caller seeds.

    Args:
        pretrained: Load the weights that `config` names, if any; False where a checkpoint replaces them all, so that
            their file is not needed again.

    Raises:
        ConfigError: The file of weights is missing or holds another network.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes = {num_classes}; a classifier needs at least 2")
    if config.kind not in BACKBONES:
        raise ValueError(f"model.kind = {config.kind!r} has no builder; valid kinds: {', '.join(BACKBONES)}")
    backbone = BACKBONES[config.kind](config, pretrained=pretrained)
    scale_to_noise(backbone.trunk)
    head = nn.Linear(backbone.num_features, num_classes, bias=config.head_bias)
    model = Classifier(backbone.trunk, head, mean=backbone.mean, std=backbone.std, stages=backbone.stages)
    edits = backbone.edits if config.head_bias else (*backbone.edits, "head: no bias")
    return BuiltModel(model, edits, backbone.pretrained)


def check_weights(config: ModelConfig) -> None:
    """Raise ConfigError where the weights that `config` names, if any, are missing or those of another network."""
    if isinstance(config, Torchvision) and config.weights is not None:
        build_model(config, num_classes=2)
