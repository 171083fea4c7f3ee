"""The smallest networks of each architecture, and what edits they should list."""

from typing import Any

import pytest
import torch

from trainables.config import ModelConfig, SmallCnn, Torchvision
from trainables.models import BuiltModel, Classifier, build_model

NUM_CLASSES = 5
SMALLEST = ("resnet18", "regnet_x_400mf", "convnext_tiny", "efficientnet_v2_s", "densenet121")
KINDS = ("small_cnn", *SMALLEST, "resnet50", "regnet_y_400mf")
"""One of each way of building; bottlenecks and squeeze-and-excitation next to the smallest of their families."""
REST_OF_A_PRODUCT = (pytest.mark.slow, pytest.mark.exhaustive)
"""Marks of combinations of a network and a norm, each of which is tested with others."""

STRIDE_EDITS = {
    "resnet": [f"layer{stage}.0: stride 2 -> 1" for stage in (4, 3, 2)],
    "regnet": [f"trunk_output.block{stage}.block{stage}-0: stride 2 -> 1" for stage in (4, 3, 2)],
    "convnext": [f"features.{part}: stride 2 -> 1, padded below and at the right" for part in (6, 4, 2)],
    "efficientnet": [f"features.{part}.0: stride 2 -> 1" for part in (6, 4, 3)],
    "densenet": [f"features.transition{part}: no pooling" for part in (3, 2, 1)],
}
ALWAYS = {
    "convnext": ["classifier.0: each cell is normalised before the pooling, not their mean after it"],
    "efficientnet": ["classifier.0: no dropout"],
    "densenet": ["relu: a part of the trunk, before the pooling"],
}


def architecture_of(kind: str) -> str:
    """Return resnet, regnet, convnext, efficientnet or densenet; Wide ResNets and ResNeXts are ResNets."""
    return next((name for name in STRIDE_EDITS if kind.startswith(name)), "resnet")


def config_of(kind: str, **fields: Any) -> ModelConfig:
    """Return the config of a kind; the small network is as narrow as eight channels."""
    if kind == "small_cnn":
        return SmallCnn.model_validate({"width": 8, **fields})
    return Torchvision.model_validate({"kind": kind, **fields})


def fresh(kind: str, **fields: Any) -> BuiltModel:
    torch.manual_seed(0)
    return build_model(config_of(kind, **fields), num_classes=NUM_CLASSES)


def fresh_model(kind: str, **fields: Any) -> Classifier:
    return fresh(kind, **fields).model


def all_edits(kind: str) -> dict[str, Any]:
    """Return every edit that a kind allows, but for norm and activation."""
    edits: dict[str, Any] = {"cam_stride": 16, "head_bias": True, "final_norm": False, "final_relu": False}
    if architecture_of(kind) == "convnext":
        del edits["final_relu"]
    return edits


def images_of(size: int, *, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
