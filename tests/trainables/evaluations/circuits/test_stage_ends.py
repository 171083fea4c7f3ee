"""The ends of the stages of all kinds of networks, and what passes through them."""

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import linear_classifier
from tests.trainables.models.networks import config_of
from trainables.classifiers import UnitFeatures
from trainables.classifiers.with_head import with_head
from trainables.evaluations.circuits.stage_ends import StagedNetwork
from trainables.models import build_model

CHANNELS = {
    "small_cnn": [8, 16, 16, 16, 16],
    "resnet18": [64, 64, 128, 256, 512],
    "densenet121": [64, 128, 256, 512, 1024],
    "convnext_tiny": [96, 96, 192, 384, 768],
    "regnet_y_400mf": [32, 48, 104, 208, 440],
}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind in ("small_cnn", "resnet18") else pytest.mark.slow) for kind in CHANNELS],
)
def test_each_stage_of_a_network_ends_in_channels_that_decide(kind: str) -> None:
    torch.manual_seed(0)
    fields = {"width": 8} if kind == "small_cnn" else {}
    model = build_model(config_of(kind, **fields), num_classes=3).model.eval()
    network = StagedNetwork.of(model, torch.rand(2, 3, 64, 64))
    assert [end.num_channels for end in network.ends] == CHANNELS[kind]
    assert network.left_out == ()


class _Permuted(nn.Module):
    """Gives a linear layer the channels last, as a map or as tokens."""

    def __init__(self, *, tokens: bool) -> None:
        super().__init__()
        self.tokens = tokens
        self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 4)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        last = images_BCHW.permute(0, 2, 3, 1)
        found: Tensor = self.second(self.first(last.flatten(1, 2) if self.tokens else last))
        return found.view(-1, *last.shape[1:3], 4).permute(0, 3, 1, 2)


@pytest.mark.parametrize("tokens", [True, False])
def test_channels_may_come_last(tokens: bool) -> None:
    torch.manual_seed(0)
    model = linear_classifier(torch.rand(2, 4).tolist(), trunk=_Permuted(tokens=tokens))
    model.stages = (("first",), ("second",))
    images = torch.rand(2, 3, 6, 6)
    network = StagedNetwork.of(model, images)
    assert [(end.name, end.num_channels) for end in network.ends] == [("first", 5), ("second", 4)]
    assert [channels.shape[:2] for channels in network.activations(images)] == [(2, 5), (2, 4)]


class _Twice(nn.Module):
    """Calls its second stage twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(3, 3, 1) for _ in range(3))

    def forward(self, images_BCHW: Tensor) -> Tensor:
        found: Tensor = self.third(self.second(self.second(self.first(images_BCHW))))
        return found


def test_an_end_that_is_passed_twice_is_left_out() -> None:
    torch.manual_seed(0)
    model = linear_classifier(torch.rand(2, 3).tolist(), trunk=_Twice())
    model.stages = (("first",), ("second",), ("third",))
    network = StagedNetwork.of(model, torch.rand(2, 3, 4, 4))
    assert [end.name for end in network.ends] == ["second", "third"]
    assert network.left_out == ("first",)


class _Counting(nn.Sequential):
    """Knows the number of images from before its first stage."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        found: Tensor = super().forward(images_BCHW)
        return found.view(len(images_BCHW), *found.shape[1:])


def test_a_network_may_know_the_number_of_images() -> None:
    torch.manual_seed(0)
    trunk = _Counting(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    model = linear_classifier(torch.rand(2, 3).tolist(), trunk=trunk)
    model.stages = (("0",), ("1",))
    network = StagedNetwork.of(model, torch.rand(2, 3, 4, 4))
    assert ([end.name for end in network.ends], network.left_out) == (["0", "1"], ())


class _FullDevice(nn.Conv2d):
    """Has memory for a number of calls."""

    def __init__(self, num_calls: int) -> None:
        super().__init__(3, 3, 1)
        self.num_calls = num_calls

    def forward(self, images_BCHW: Tensor) -> Tensor:
        if not self.num_calls:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.num_calls -= 1
        return super().forward(images_BCHW)


@pytest.mark.parametrize("num_calls", range(4))
def test_a_device_without_memory_is_an_error_and_no_stage_is_left_out(num_calls: int) -> None:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 3, 1), _FullDevice(num_calls))
    model = linear_classifier(torch.rand(2, 3).tolist(), trunk=trunk)
    model.stages = (("0",), ("1",))
    with pytest.raises(torch.OutOfMemoryError):
        StagedNetwork.of(model, torch.rand(2, 3, 4, 4))


def test_hooks_are_gone_after_an_error() -> None:
    model = linear_classifier([[1.0, 0, 0], [0, 1, 0]])
    network = StagedNetwork.of(model, torch.rand(2, 3, 4, 4))

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), network.changed(lambda _, channels: channels):
        fail()
    assert all(not module._forward_hooks for module in model.modules())


def test_values_are_split_by_ends_and_nodes_have_places() -> None:
    torch.manual_seed(0)
    model = linear_classifier(torch.rand(2, 4).tolist(), trunk=_Permuted(tokens=True))
    model.stages = (("first",), ("second",))
    network = StagedNetwork.of(model, torch.rand(2, 3, 6, 6))
    first, second = network.by_end(torch.arange(9))
    assert (first.tolist(), second.tolist()) == ([0, 1, 2, 3, 4], [5, 6, 7, 8])
    assert [network.places[node] for node in (0, 4, 5, 8)] == [(0, 0), (0, 4), (1, 0), (1, 3)]


def test_an_embedding_classifier_has_the_stages_of_its_network() -> None:
    torch.manual_seed(0)
    model = linear_classifier(torch.rand(2, 3).tolist(), trunk=nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 1)))
    model.stages = (("0",), ("1",))
    images = torch.rand(2, 3, 4, 4)
    around = with_head(model, UnitFeatures(model.trunk), torch.rand(2, 3), None)
    network = StagedNetwork.of(around, images)
    assert [(end.name, end.num_channels) for end in network.ends] == [("0", 4), ("1", 3)]
    unit_BF = network.activations(images)[1].mean((2, 3))
    torch.testing.assert_close(unit_BF.norm(dim=1), torch.ones(2))
