"""Every network of the registry, without memory for its weights: sizes, names, edits and maps."""

from typing import get_args

import pytest
import torch
from torchvision.models import get_model, get_model_weights

from benchmarks.harness.on_meta import OnMeta
from tests.trainables.models.networks import ALWAYS, SMALLEST, STRIDE_EDITS, architecture_of
from trainables.config import Torchvision
from trainables.config.model import TorchvisionKind, weights_names
from trainables.models import BuiltModel, build_model
from trainables.models.build import BACKBONES
from trainables.models.torchvision_network import ARCHITECTURES

KINDS = get_args(TorchvisionKind)
LAST_EDITS = {
    "resnet18": ["layer4.1: no norm after the last convolution", "layer4.1: no activation after the residual sum"],
    "resnet34": ["layer4.2: no norm after the last convolution", "layer4.2: no activation after the residual sum"],
    "regnet_x_400mf": [
        "trunk_output.block4.block4-11: no norm after the last convolution",
        "trunk_output.block4.block4-11: no activation after the residual sum",
    ],
    "regnet_y_32gf": [
        "trunk_output.block4.block4-0: no norm after the last convolution",
        "trunk_output.block4.block4-0: no activation after the residual sum",
    ],
    "convnext_large": ["classifier.0: no norm"],
    "efficientnet_v2_s": [
        "classifier.0: no dropout",
        "features.7: no norm after the convolution",
        "features.7: no activation",
    ],
    "efficientnet_v2_l": [
        "classifier.0: no dropout",
        "features.8: no norm after the convolution",
        "features.8: no activation",
    ],
    "densenet201": ["features.norm5: no norm", "relu: no activation before the pooling"],
}
"""What becomes of the end of a network whose last norm and activation are taken away."""
OWN = {"convnext": ("layer", "gelu"), "efficientnet": ("batch", "silu")}


def build(kind: str, **fields: object) -> BuiltModel:
    with OnMeta():
        return build_model(Torchvision.model_validate({"kind": kind, **fields}), num_classes=1000)


def num_parameters(built: BuiltModel) -> int:
    return sum(parameter.numel() for parameter in built.model.parameters())


def test_the_registry_holds_every_kind_of_the_config() -> None:
    assert tuple(ARCHITECTURES) == KINDS
    assert tuple(BACKBONES) == ("small_cnn", *KINDS, "timm", "own")


@pytest.mark.parametrize("kind", KINDS)
def test_the_config_knows_torchvisions_weights(kind: TorchvisionKind) -> None:
    assert set(weights_names(kind)) == set(get_model_weights(kind).__members__)


@pytest.mark.parametrize("kind", KINDS)
def test_without_down_sampling_it_has_torchvisions_parameters_and_a_map_of_stride_4(kind: str) -> None:
    built = build(kind, cam_stride=4, head_bias=True)
    assert num_parameters(built) == get_model_weights(kind)["DEFAULT"].meta["num_params"]
    assert list(built.edits) == STRIDE_EDITS[architecture_of(kind)] + ALWAYS.get(architecture_of(kind), [])
    features = built.model.trunk.eval()(torch.empty(1, 3, 32, 32, device="meta"))
    assert features.shape == (1, built.model.head.in_features, 8, 8)


@pytest.mark.parametrize("kind", ["wide_resnet50_2", "resnext50_32x4d", *SMALLEST])
def test_a_plain_network_has_torchvisions_tensors_under_their_names(kind: str) -> None:
    built = build(kind, head_bias=True)
    assert list(built.edits) == ALWAYS.get(architecture_of(kind), [])
    with OnMeta():
        original = get_model(kind, weights=None).state_dict()
    names = built.model.trunk.state_dict()
    assert all(tuple(names[name].shape) == tuple(original[name].shape) for name in names)
    assert {name.rpartition(".")[2] for name in original.keys() - names.keys()} == {"weight", "bias"}
    assert len(original.keys() - names.keys()) == 2


@pytest.mark.parametrize("kind", LAST_EDITS)
def test_every_edit_is_listed_in_its_order(kind: str) -> None:
    architecture = architecture_of(kind)
    norm, activation = OWN.get(architecture, ("batch", "relu"))
    built = build(
        kind, cam_stride=8, final_norm=False, final_relu=architecture == "convnext", norm="group", activation="elu"
    )
    assert list(built.edits) == [
        *STRIDE_EDITS[architecture][:2],
        *LAST_EDITS[kind],
        f"norms: {norm} -> group",
        f"activations: {activation} -> elu",
        "head: no bias",
    ]


# The last norm's weight and bias.
LAST_NORM = {
    "resnet18": 2 * 512,
    "resnet50": 2 * 2048,
    "regnet_x_400mf": 2 * 400,
    "convnext_tiny": 2 * 768,
    "efficientnet_v2_s": 2 * 1280,
    "densenet121": 2 * 1024,
}


@pytest.mark.parametrize("kind", LAST_NORM)
def test_parameters_of_the_edits(kind: str) -> None:
    plain = get_model_weights(kind)["DEFAULT"].meta["num_params"]
    edited = build(kind, cam_stride=4, head_bias=True, norm="group", activation="elu")
    assert num_parameters(edited) == plain
    without = build(kind, final_norm=False, norm="running")
    assert num_parameters(without) == plain - LAST_NORM[kind] - 1000


@pytest.mark.parametrize(
    ("kind", "num_norms"), [("resnet18", 20), ("resnet50", 53), ("convnext_tiny", 1 + 3 + 18 + 1), ("densenet121", 121)]
)
def test_a_dynamic_tanh_has_one_parameter_more_than_a_norm(kind: str, num_norms: int) -> None:
    assert num_parameters(build(kind, norm="dynamic_tanh")) == num_parameters(build(kind)) + num_norms


def test_kinds_that_are_there_already_are_no_edit() -> None:
    assert build("resnet18", norm="batch", activation="relu", head_bias=True).edits == ()
    assert build("convnext_tiny", activation="gelu", head_bias=True).edits == tuple(ALWAYS["convnext"])
