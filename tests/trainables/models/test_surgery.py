"""Each edit changes what it names and nothing else."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet18, resnet50

from trainables.models.surgery import keep_resolution, remove_final_norm, remove_final_relu

CONSTRUCTORS = {"basic": resnet18, "bottleneck": resnet50}
LAST = {"basic": "layer4.1", "bottleneck": "layer4.2"}


def fresh(kind: str) -> nn.Sequential:
    torch.manual_seed(0)
    network = CONSTRUCTORS[kind](weights=None)
    trunk = nn.Sequential()
    for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        trunk.add_module(name, getattr(network, name))
    return trunk


def strides(trunk: nn.Sequential) -> dict[str, tuple[int, ...]]:
    return {
        name: part.stride
        for name, part in trunk.named_modules()
        if isinstance(part, nn.Conv2d) and part.stride != (1, 1)
    }


def block_input(kind: str) -> torch.Tensor:
    channels = {"basic": 512, "bottleneck": 2048}[kind]
    return torch.randn(2, channels, 3, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("cam_stride", "stages"),
    [(32, []), (16, ["layer4"]), (8, ["layer4", "layer3"]), (4, ["layer4", "layer3", "layer2"])],
)
@pytest.mark.parametrize(("kind", "main_conv"), [("basic", "conv1"), ("bottleneck", "conv2")])
def test_keep_resolution_edits_main_path_and_shortcut(
    kind: str, main_conv: str, cam_stride: int, stages: list[str]
) -> None:
    trunk = fresh(kind)
    before = strides(trunk)
    edits = keep_resolution(trunk, cam_stride)
    edited = {f"{stage}.0.{conv}" for stage in stages for conv in (main_conv, "downsample.0")}
    assert edits == [f"{stage}.0: stride 2 -> 1" for stage in stages]
    assert strides(trunk) == {name: stride for name, stride in before.items() if name not in edited}
    assert edited <= set(before)


@pytest.mark.parametrize(("kind", "norm"), [("basic", "bn2"), ("bottleneck", "bn3")])
def test_remove_final_norm_removes_that_norm_only(kind: str, norm: str) -> None:
    trunk = fresh(kind)
    before = set(trunk.state_dict())
    assert remove_final_norm(trunk) == [f"{LAST[kind]}: no norm after the last convolution"]
    removed = before - set(trunk.state_dict())
    assert {key.rsplit(".", 1)[0] for key in removed} == {f"{LAST[kind]}.{norm}"}


@pytest.mark.parametrize("kind", CONSTRUCTORS)
def test_remove_final_relu_keeps_the_activations_inside_the_block(kind: str) -> None:
    plain, edited = fresh(kind), fresh(kind)
    assert remove_final_relu(edited) == [f"{LAST[kind]}: no activation after the residual sum"]
    features = edited.get_submodule(LAST[kind])(block_input(kind))
    assert features.min() < 0
    torch.testing.assert_close(features.relu(), plain.get_submodule(LAST[kind])(block_input(kind)), rtol=0, atol=0)


@pytest.mark.parametrize("kind", CONSTRUCTORS)
def test_remove_final_relu_keeps_the_names_of_the_state(kind: str) -> None:
    plain, edited = fresh(kind), fresh(kind)
    remove_final_relu(edited)
    assert list(edited.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize("kind", CONSTRUCTORS)
def test_both_final_edits_leave_a_linear_end(kind: str) -> None:
    trunk = fresh(kind)
    remove_final_norm(trunk)
    remove_final_relu(trunk)
    block = trunk.get_submodule(LAST[kind])
    last_conv = {"basic": "conv2", "bottleneck": "conv3"}[kind]
    with torch.no_grad():
        residual = block(block_input(kind)) - block_input(kind)
        block.get_submodule(last_conv).weight.mul_(-2)  # type: ignore[operator, union-attr]
        doubled = block(block_input(kind)) - block_input(kind)
    torch.testing.assert_close(doubled, -2 * residual, rtol=1e-4, atol=1e-4)
