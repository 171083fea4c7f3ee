"""Each edit changes what it names and nothing else."""

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from benchmarks.harness.on_meta import OnMeta
from tests.trainables.models.networks import SMALLEST, STRIDE_EDITS, architecture_of
from trainables.models.norms import AcrossLastDimension
from trainables.models.resnet import remove_final_norm, remove_final_relu
from trainables.models.surgery import keep_resolution, replace_activations, replace_norms
from trainables.models.torchvision_network import ARCHITECTURES

LAST = {"resnet18": "layer4.1", "resnet50": "layer4.2"}


def trunk_of(kind: str, *, final_norm: bool = True, final_relu: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    return ARCHITECTURES[kind].strip_head(get_model(kind, weights=None), final_norm=final_norm, final_relu=final_relu)[
        0
    ]


def structure_of(kind: str, **switches: bool) -> nn.Sequential:
    """Return a trunk whose weights take no memory."""
    with OnMeta():
        return trunk_of(kind, **switches)


def strides(trunk: nn.Sequential) -> dict[str, tuple[int, ...]]:
    return {
        name: part.stride
        for name, part in trunk.named_modules()
        if isinstance(part, nn.Conv2d) and part.stride != (1, 1)
    }


def block_input(kind: str) -> torch.Tensor:
    channels = {"resnet18": 512, "resnet50": 2048}[kind]
    return torch.randn(2, channels, 3, 3, generator=torch.Generator().manual_seed(1))


DOWN_SAMPLING = {
    "resnet18": [[f"layer{stage}.0.conv1", f"layer{stage}.0.downsample.0"] for stage in (4, 3, 2)],
    "resnet50": [[f"layer{stage}.0.conv2", f"layer{stage}.0.downsample.0"] for stage in (4, 3, 2)],
    "regnet_x_400mf": [
        [f"trunk_output.block{stage}.block{stage}-0.{conv}" for conv in ("f.b.0", "proj.0")] for stage in (4, 3, 2)
    ],
    "convnext_tiny": [[f"features.{part}.1"] for part in (6, 4, 2)],
    "efficientnet_v2_s": [["features.6.0.block.1.0"], ["features.4.0.block.1.0"], ["features.3.0.block.0.0"]],
}


@pytest.mark.parametrize("num_parts", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", DOWN_SAMPLING)
def test_keep_resolution_edits_main_path_and_shortcut(kind: str, num_parts: int) -> None:
    trunk = structure_of(kind)
    before, names = strides(trunk), set(trunk.state_dict())
    edits = keep_resolution(trunk, 32 >> num_parts, ARCHITECTURES[kind].down_sampling)
    edited = {conv for convs in DOWN_SAMPLING[kind][:num_parts] for conv in convs}
    assert edits == STRIDE_EDITS[architecture_of(kind)][:num_parts]
    assert strides(trunk) == {name: stride for name, stride in before.items() if name not in edited}
    assert edited <= set(before)
    assert set(trunk.state_dict()) == names


def test_keep_resolution_leaves_poolings_out_of_a_densenet() -> None:
    trunk = structure_of("densenet121")
    assert keep_resolution(trunk, 8, ARCHITECTURES["densenet121"].down_sampling) == STRIDE_EDITS["densenet"][:2]
    poolings = [name for name, part in trunk.named_modules() if isinstance(part, nn.AvgPool2d)]
    assert poolings == ["features.transition1.pool"]


def test_a_two_by_two_convolution_is_padded_below_and_at_the_right() -> None:
    trunk = trunk_of("convnext_tiny")
    keep_resolution(trunk, 16, ARCHITECTURES["convnext_tiny"].down_sampling)
    norm, conv = trunk.get_submodule("features.6.0"), trunk.get_submodule("features.6.1")
    assert isinstance(conv, nn.Conv2d)
    x_BCHW = torch.randn(1, 384, 3, 3, generator=torch.Generator().manual_seed(1))
    normed_BCHW = norm(x_BCHW)
    expected = torch.zeros(1, 768, 3, 3) + conv.bias.view(-1, 1, 1)
    for row, column in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        seen = normed_BCHW[:, :, row:, column:]
        tap = torch.einsum("kc,bchw->bkhw", conv.weight[:, :, row, column], seen)
        expected[:, :, : 3 - row, : 3 - column] += tap
    torch.testing.assert_close(trunk.get_submodule("features.6")(x_BCHW), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kind", "norm"), [("resnet18", "bn2"), ("resnet50", "bn3")])
def test_remove_final_norm_removes_that_norm_only(kind: str, norm: str) -> None:
    trunk = structure_of(kind)
    before = set(trunk.state_dict())
    assert remove_final_norm(trunk) == [f"{LAST[kind]}: no norm after the last convolution"]
    removed = before - set(trunk.state_dict())
    assert {key.rsplit(".", 1)[0] for key in removed} == {f"{LAST[kind]}.{norm}"}


@pytest.mark.parametrize("kind", LAST)
def test_remove_final_relu_keeps_the_activations_inside_the_block(kind: str) -> None:
    plain, edited = trunk_of(kind), trunk_of(kind)
    assert remove_final_relu(edited) == [f"{LAST[kind]}: no activation after the residual sum"]
    features = edited.get_submodule(LAST[kind])(block_input(kind))
    assert features.min() < 0
    torch.testing.assert_close(features.relu(), plain.get_submodule(LAST[kind])(block_input(kind)), rtol=0, atol=0)


@pytest.mark.parametrize("kind", LAST)
def test_remove_final_relu_keeps_the_names_of_the_state(kind: str) -> None:
    plain, edited = structure_of(kind), structure_of(kind)
    remove_final_relu(edited)
    assert list(edited.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize("kind", LAST)
def test_both_final_edits_leave_a_linear_end(kind: str) -> None:
    trunk = trunk_of(kind, final_norm=False, final_relu=False)
    block = trunk.get_submodule(LAST[kind])
    last_conv = {"resnet18": "conv2", "resnet50": "conv3"}[kind]
    with torch.no_grad():
        residual = block(block_input(kind)) - block_input(kind)
        block.get_submodule(last_conv).weight.mul_(-2)  # type: ignore[operator, union-attr]
        doubled = block(block_input(kind)) - block_input(kind)
    torch.testing.assert_close(doubled, -2 * residual, rtol=1e-4, atol=1e-4)


LAST_NORM = {
    "regnet_x_400mf": "trunk_output.block4.block4-11.f.c.1",
    "convnext_tiny": "classifier.0",
    "efficientnet_v2_s": "features.7.1",
    "densenet121": "features.norm5",
}


@pytest.mark.parametrize("kind", LAST_NORM)
def test_no_final_norm_takes_that_norm_only(kind: str) -> None:
    removed = structure_of(kind).state_dict().keys() - structure_of(kind, final_norm=False).state_dict().keys()
    assert {name.rsplit(".", 1)[0] for name in removed} == {LAST_NORM[kind]}


@pytest.mark.parametrize(
    ("kind", "activation"),
    [("regnet_x_400mf", nn.ReLU()), ("efficientnet_v2_s", nn.SiLU()), ("densenet121", nn.ReLU())],
)
def test_no_final_activation_takes_that_activation_only(kind: str, activation: nn.Module) -> None:
    plain, edited = trunk_of(kind).eval(), trunk_of(kind, final_relu=False).eval()
    assert list(plain.state_dict()) == list(edited.state_dict())
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        sums = edited(images)
        torch.testing.assert_close(plain(images), activation(sums))
    assert sums.min() < 0


@pytest.mark.parametrize("kind", SMALLEST)
def test_every_norm_is_replaced_where_it_stands(kind: str) -> None:
    trunk = structure_of(kind)
    before = {name: part for name, part in trunk.named_modules() if isinstance(part, nn.BatchNorm2d | nn.LayerNorm)}
    replace_norms(trunk, "group")
    found = {name: part for name, part in trunk.named_modules() if isinstance(part, nn.GroupNorm)}
    after = {name.replace(".block.2.norm", ".block.2"): norm for name, norm in found.items()}
    assert list(after) == list(before)
    for name, norm in before.items():
        channels = norm.num_features if isinstance(norm, nn.BatchNorm2d) else norm.normalized_shape[0]
        assert (after[name].num_channels, after[name].eps) == (channels, norm.eps)
    assert not any(isinstance(part, nn.BatchNorm2d | nn.LayerNorm) for part in trunk.modules())


def test_norms_of_a_convnexts_blocks_see_channels_last() -> None:
    trunk = structure_of("convnext_tiny")
    replace_norms(trunk, "group")
    turned = [name for name, part in trunk.named_modules() if isinstance(part, AcrossLastDimension)]
    assert len(turned) == 18
    assert all(name.endswith(".block.2") for name in turned)


@pytest.mark.parametrize("kind", ["batch", "running"])
def test_batch_norms_keep_the_eps_and_momentum_of_those_before(kind: str) -> None:
    trunk = structure_of("efficientnet_v2_s")
    replace_norms(trunk, kind)
    norm = trunk.get_submodule("features.0.1")
    assert (norm.eps, norm.momentum) == (1e-3, 0.1)


@pytest.mark.parametrize(
    ("kind", "own"), [("resnet18", nn.ReLU), ("convnext_tiny", nn.GELU), ("efficientnet_v2_s", nn.SiLU)]
)
def test_every_activation_is_replaced_but_the_gates(kind: str, own: type[nn.Module]) -> None:
    trunk = structure_of(kind)
    before = [name for name, part in trunk.named_modules() if isinstance(part, own)]
    gates = [name for name, part in trunk.named_modules() if isinstance(part, nn.Sigmoid)]
    replace_activations(trunk, "elu")
    assert [name for name, part in trunk.named_modules() if isinstance(part, nn.ELU)] == before
    assert [name for name, part in trunk.named_modules() if isinstance(part, nn.Sigmoid)] == gates
    assert (kind == "efficientnet_v2_s") == bool(gates)


def test_a_replaced_relu_is_a_relu() -> None:
    trunk = trunk_of("convnext_tiny")
    replace_activations(trunk, "relu")
    relu = trunk.get_submodule("features.1.0.block.4")
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    relu(x).sum().backward()
    assert relu(x).tolist() == [0, 0, 2]
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 1]
