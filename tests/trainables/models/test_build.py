"""From config to network."""

import pytest
import torch
from torch import nn

from trainables.config import ResNet, SmallCnn
from trainables.models import build_model


@pytest.mark.parametrize(
    ("cam_stride", "strides"), [(4, [2, 2, 1, 1]), (8, [2, 2, 2, 1, 1])], ids=["stride 4", "stride 8"]
)
def test_small_cnn_halves_down_to_its_stride_and_doubles_its_channels_once(cam_stride: int, strides: list[int]) -> None:
    model = build_model(SmallCnn(width=8, cam_stride=cam_stride), num_classes=3).model
    convs = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    assert [conv.out_channels for conv in convs] == [8] + [16] * (len(strides) - 1)
    assert [conv.stride for conv in convs] == [(stride, stride) for stride in strides]


@pytest.mark.parametrize("width", [4, 6, 7])
def test_group_norm_fits_any_width(width: int) -> None:
    model = build_model(SmallCnn(width=width, norm="group"), num_classes=3).model
    assert model(torch.rand(1, 3, 48, 48)).logits.shape == (1, 3)


def test_group_norm_does_not_couple_the_pictures_of_a_batch() -> None:
    model = build_model(SmallCnn(width=8, norm="group"), num_classes=3).model.train()
    images = torch.rand(4, 3, 48, 48)
    torch.testing.assert_close(model(images).logits[:1], model(images[:1]).logits)


def test_edits_are_listed() -> None:
    built = build_model(
        ResNet(kind="resnet18", cam_stride=8, head_bias=False, final_norm=False, final_relu=False), num_classes=3
    )
    assert built.edits == (
        "layer4.0: stride 2 -> 1",
        "layer3.0: stride 2 -> 1",
        "layer4.1: no norm after the last convolution",
        "layer4.1: no activation after the residual sum",
        "head: no bias",
    )
    small = build_model(SmallCnn(width=8, final_norm=False, final_relu=False), num_classes=3)
    assert small.edits == ("block5: no norm after the convolution", "block5: no activation", "head: no bias")


def test_a_plain_resnet_has_no_edits_and_torchvisions_names() -> None:
    built = build_model(ResNet(kind="resnet18", head_bias=True), num_classes=3)
    assert built.edits == ()
    assert "trunk.layer4.1.bn2.weight" in built.model.state_dict()
    assert built.model.num_classes == 3


def test_the_global_seed_decides_the_weights() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build_model(SmallCnn(width=4), num_classes=3).model.parameters())

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="num_classes = 1; a classifier needs at least 2"):
        build_model(SmallCnn(), num_classes=1)
