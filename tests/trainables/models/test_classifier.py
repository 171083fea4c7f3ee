"""The contract that every network keeps: logits are the sum of the features' HiResCAMs."""

import copy
import itertools

import pytest
import torch
from torch import nn

from trainables.cams import hirescam
from trainables.config import ModelConfig, ResNet, SmallCnn
from trainables.models import Classifier, Output, build_model

EDITS = [
    {"head_bias": head_bias, "final_norm": final_norm, "final_relu": final_relu}
    for head_bias, final_norm, final_relu in itertools.product([False, True], repeat=3)
]
SMALL_CNNS: list[ModelConfig] = [
    SmallCnn(width=8, norm=norm, cam_stride=cam_stride, **edits)
    for norm, cam_stride, edits in itertools.product(["batch", "group"], [4, 8], EDITS)
]
RESNETS: list[ModelConfig] = [
    ResNet(kind=kind, cam_stride=cam_stride, **edits)
    for kind, cam_stride, edits in itertools.product(["resnet18", "resnet34", "resnet50"], [4, 8, 16, 32], EDITS)
    if kind == "resnet18" or edits["head_bias"]
]
DEEP_RESNETS: list[ModelConfig] = [
    ResNet(kind=kind, cam_stride=16, head_bias=True, final_norm=False, final_relu=False)
    for kind in ("resnet101", "resnet152")
]


def name(config: ModelConfig) -> str:
    values = config.model_dump()
    return "-".join([values["kind"], *(f"{key}={value}" for key, value in values.items() if key != "kind")])


def images_of(size: int, *, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


def fresh(config: ModelConfig) -> Classifier:
    torch.manual_seed(0)
    return build_model(config, num_classes=5).model


def check_identity(model: Classifier, images: torch.Tensor, *, cam_stride: int) -> None:
    with torch.no_grad():
        output = model(images)
    assert isinstance(output, Output)
    side = images.shape[-1] // cam_stride
    assert output.features.shape == (len(images), model.head.in_features, side, side)
    bias = torch.zeros(5) if model.head.bias is None else model.head.bias
    torch.testing.assert_close(
        hirescam(output.features, model.head.weight).sum((2, 3)) + bias, output.logits, rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("config", SMALL_CNNS, ids=name)
def test_maps_sum_to_the_logits_of_a_small_cnn(config: ModelConfig, training: bool) -> None:
    check_identity(fresh(config).train(training), images_of(48), cam_stride=config.cam_stride)


@pytest.mark.parametrize("config", RESNETS + DEEP_RESNETS, ids=name)
def test_maps_sum_to_the_logits_of_a_resnet(config: ModelConfig) -> None:
    check_identity(fresh(config).train(), images_of(64), cam_stride=config.cam_stride)


VARIANTS: list[ModelConfig] = [
    SmallCnn(width=8),
    SmallCnn(width=8, norm="group", cam_stride=4, head_bias=True, final_norm=False, final_relu=False),
    ResNet(kind="resnet18"),
    ResNet(kind="resnet18", cam_stride=16, head_bias=True, final_norm=False, final_relu=False),
    ResNet(kind="resnet50", cam_stride=16, final_norm=False, final_relu=False),
]


@pytest.mark.parametrize("config", VARIANTS, ids=name)
def test_every_parameter_gets_a_gradient(config: ModelConfig) -> None:
    model = fresh(config)
    model(images_of(64)).logits.logsumexp(1).sum().backward()
    assert [key for key, parameter in model.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("config", VARIANTS, ids=name)
def test_state_makes_a_round_trip_into_another_network(config: ModelConfig) -> None:
    trained, restored = fresh(config), build_model(config, num_classes=5).model
    trained(images_of(64))
    restored.load_state_dict(trained.state_dict())
    torch.testing.assert_close(restored.eval()(images_of(64)), trained.eval()(images_of(64)), rtol=0, atol=0)


@pytest.mark.parametrize("config", VARIANTS, ids=name)
def test_a_deep_copy_shares_no_weights(config: ModelConfig) -> None:
    model = fresh(config).eval()
    duplicate = copy.deepcopy(model)
    before = model(images_of(64)).logits
    with torch.no_grad():
        for parameter in duplicate.parameters():
            parameter.zero_()
    torch.testing.assert_close(model(images_of(64)).logits, before, rtol=0, atol=0)


def test_normalises_by_the_statistics_of_imagenet() -> None:
    model = Classifier(nn.Identity(), nn.Linear(3, 2))
    grey = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    one_deviation = grey + torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    torch.testing.assert_close(model(grey).features, torch.zeros(1, 3, 4, 4))
    torch.testing.assert_close(model(one_deviation).features, torch.ones(1, 3, 4, 4))


def test_logits_are_the_head_on_mean_features() -> None:
    model = Classifier(nn.Identity(), nn.Linear(3, 2))
    output = model(images_of(6))
    expected = output.features.mean((2, 3)) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(output.logits, expected)


def test_under_autocast_the_logits_stay_in_float32_and_faithful() -> None:
    model = fresh(SmallCnn(width=8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(images_of(48))
    assert output.features.dtype == torch.bfloat16
    assert output.logits.dtype == torch.float32
    sums = hirescam(output.features, model.head.weight).sum((2, 3))
    torch.testing.assert_close(sums, output.logits, rtol=0, atol=1e-4)


def test_channels_last_changes_nothing() -> None:
    model = fresh(SmallCnn(width=8)).eval()
    expected = model(images_of(48))
    model = model.to(memory_format=torch.channels_last)
    output = model(images_of(48).contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-5)
