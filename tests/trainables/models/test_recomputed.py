"""Stages that compute their activations again: the same gradients and statistics, with less kept in between."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from tests.trainables.models.networks import SMALLEST, fresh_model, images_of
from trainables.models import Classifier, Stage, recompute_stages, recomputed_modules, stages_of


def both(kind: str, **fields: Any) -> tuple[Classifier, Classifier]:
    """Return a network, and the same one that computes its stages again."""
    plain = fresh_model(kind, **fields).train()
    recomputed = copy.deepcopy(plain)
    recompute_stages(stages_of(recomputed))
    return plain, recomputed


def step(model: Classifier, *, size: int = 32) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the gradients of a step with random numbers, and the buffers after it."""
    torch.manual_seed(1)
    model.zero_grad()
    model(images_of(size, batch=3)).logits.logsumexp(1).sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return gradients, dict(model.named_buffers())


def assert_same_steps(plain: Classifier, recomputed: Classifier) -> None:
    for _ in range(2):
        torch.testing.assert_close(step(recomputed, size=64), step(plain, size=64), rtol=0, atol=0)
    assert {*step(plain)[0]} == {name for name, _ in plain.named_parameters()}


@pytest.mark.parametrize("kind", ["small_cnn", *SMALLEST])
def test_gradients_and_statistics_are_the_same_bit_for_bit(kind: str) -> None:
    assert_same_steps(*both(kind, cam_stride=16))


@pytest.mark.parametrize("norm", ["running", "group", "dynamic_tanh"])
def test_so_they_are_with_other_norms(norm: str) -> None:
    assert_same_steps(*both("small_cnn", norm=norm))


def test_a_batch_counts_once_in_the_statistics() -> None:
    _, recomputed = both("small_cnn")
    _, buffers = step(recomputed)
    counts = {value.item() for name, value in buffers.items() if name.endswith("num_batches_tracked")}
    assert counts == {1}


def test_a_stage_of_stored_statistics_computes_with_those_of_the_first_pass() -> None:
    """`running` normalises by what it stores, which the forward pass has moved by the time of the second one."""
    plain, recomputed = both("small_cnn", norm="running")
    step(plain), step(recomputed)
    moved = copy.deepcopy(plain)
    first, _ = step(plain)
    for name, buffer in moved.named_buffers():
        if "running" in name:
            buffer.mul_(1.5)
    assert (step(moved)[0]["trunk.block1.conv.weight"] - first["trunk.block1.conv.weight"]).abs().max() > 1e-4
    torch.testing.assert_close(step(recomputed)[0], first, rtol=0, atol=0)


@pytest.mark.parametrize("norm", ["batch", "running", "group"])
def test_a_gradient_of_a_gradient_is_the_same_too(norm: str) -> None:
    """It repeats the forward pass twice, each time with the buffers that the pass had."""
    found = []
    for model in both("small_cnn", norm=norm):
        for _ in range(2):
            model.zero_grad()
            images_BCHW = images_of(32, batch=3).requires_grad_()
            (gradient,) = torch.autograd.grad(model(images_BCHW).logits.sum(), images_BCHW, create_graph=True)
            gradient.square().sum().backward()
        gradients = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
        found.append((gradients, dict(model.named_buffers())))
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=0)
    assert "trunk.block1.conv.weight" in found[0][0]


def num_kept(model: nn.Module) -> int:
    kept: list[Tensor] = []
    with saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        model(images_of(32))
    return len(kept)


def test_fewer_activations_are_kept() -> None:
    plain, recomputed = both("resnet18")
    # What is left belongs to the stem, normalisation, pooling and head.
    assert num_kept(recomputed) < num_kept(plain) / 4


class Lists(nn.Module):
    """A network of two blocks in a list within a list, as timm's Twins and many of one's own."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sigmoid(), nn.Conv2d(3, 3, 1)) for _ in range(2)]
        self.blocks = nn.ModuleList([nn.ModuleList(blocks)])

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks[0]:
            x = block(x)
        return x


def test_blocks_of_a_list_are_computed_again() -> None:
    """A list is no module that is called: it has no forward of its own."""
    network = Lists()
    stage = Stage([network.blocks], list(network.parameters()))
    assert recomputed_modules([stage]) == list(network.blocks[0])
    images = images_of(4)
    expected = torch.autograd.grad(network(images).sum(), stage.parameters)
    kept_before = num_kept(network)
    recompute_stages([stage])
    assert num_kept(network) < kept_before
    torch.testing.assert_close(torch.autograd.grad(network(images).sum(), stage.parameters), expected, rtol=0, atol=0)


def test_weights_keep_their_names_and_evaluation_its_cost() -> None:
    plain, recomputed = both("small_cnn")
    assert {*recomputed.state_dict()} == {*plain.state_dict()}
    assert num_kept(recomputed.eval()) == num_kept(plain.eval())


def test_arguments_by_name_reach_a_stage() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: Tensor, *, scale: float) -> Tensor:
            return scale * self.layer(x)

    stage = Scaled()
    recompute_stages([Stage([stage], list(stage.parameters()))])
    stage(torch.ones(1, 2), scale=3.0).sum().backward()
    assert stage.layer.bias.grad is not None
    assert stage.layer.bias.grad.tolist() == [3, 3]
