"""From config to network."""

import pytest
import torch
from torch import nn

from tests.trainables.models.networks import fresh_model
from trainables.config import SmallCnn, Torchvision
from trainables.models import build_model


@pytest.mark.parametrize(
    ("cam_stride", "strides"),
    [(4, [2, 2, 1, 1]), (8, [2, 2, 2, 1, 1]), (16, [2, 2, 2, 2, 1, 1]), (32, [2, 2, 2, 2, 2, 1, 1])],
    ids=lambda value: f"stride {value}" if isinstance(value, int) else "",
)
def test_small_cnn_halves_down_to_its_stride_and_doubles_its_channels_once(cam_stride: int, strides: list[int]) -> None:
    model = fresh_model("small_cnn", cam_stride=cam_stride)
    convs = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    assert [conv.out_channels for conv in convs] == [8] + [16] * (len(strides) - 1)
    assert [conv.stride for conv in convs] == [(stride, stride) for stride in strides]


@pytest.mark.parametrize(("cam_stride", "num_seen"), [(4, 23), (8, 47), (16, 95)])
def test_a_cell_of_the_small_cnn_sees_six_strides(cam_stride: int, num_seen: int) -> None:
    model = fresh_model("small_cnn", cam_stride=cam_stride, norm="dynamic_tanh", activation="gelu")
    images = torch.rand(1, 3, 128, 128, requires_grad=True)
    features = model(images).features
    middle = features.shape[-1] // 2
    (gradient,) = torch.autograd.grad(features[0, :, middle, middle].sum(), images)
    assert (gradient.abs().sum((0, 1, 2)) > 0).sum() == num_seen == 6 * cam_stride - 1


@pytest.mark.parametrize("width", [4, 6, 7])
def test_group_norm_fits_any_width(width: int) -> None:
    model = fresh_model("small_cnn", width=width, norm="group")
    assert model(torch.rand(1, 3, 48, 48)).logits.shape == (1, 5)


def test_group_norm_does_not_couple_the_images_of_a_batch() -> None:
    model = fresh_model("small_cnn", norm="group").train()
    images = torch.rand(4, 3, 48, 48)
    torch.testing.assert_close(model(images).logits[:1], model(images[:1]).logits)


@pytest.mark.parametrize(("activation", "part"), [("relu", nn.ReLU), ("elu", nn.ELU), ("gelu", nn.GELU)])
def test_small_cnn_has_its_activation_after_every_block(activation: str, part: type[nn.Module]) -> None:
    model = fresh_model("small_cnn", activation=activation)
    assert [name for name, found in model.named_modules() if isinstance(found, part)] == [
        f"trunk.block{number}.activation" for number in range(1, 6)
    ]


def test_edits_of_the_small_cnn_are_listed() -> None:
    small = build_model(SmallCnn(width=8, final_norm=False, final_relu=False), num_classes=3)
    assert small.edits == ("block5: no norm after the convolution", "block5: no activation", "head: no bias")


def test_a_plain_resnet_has_no_edits_and_torchvisions_names() -> None:
    built = build_model(Torchvision(kind="resnet18", head_bias=True), num_classes=3)
    assert built.edits == ()
    assert "trunk.layer4.1.bn2.weight" in built.model.state_dict()
    assert built.model.num_classes == 3


def test_a_network_describes_itself() -> None:
    built = build_model(SmallCnn(width=4, cam_stride=4, norm="group"), num_classes=10)
    num_parameters = 27 * 4 + 9 * (4 * 8 + 2 * 8 * 8) + 2 * (4 + 3 * 8) + 8 * 10
    assert built.describe() == {"edits": ("head: no bias",), "num_parameters": num_parameters}


def test_the_global_seed_decides_the_weights() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build_model(SmallCnn(width=4), num_classes=3).model.parameters())

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="num_classes = 1; a classifier needs at least 2"):
        build_model(SmallCnn(), num_classes=1)
