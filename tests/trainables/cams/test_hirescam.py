"""The closed form against autograd, against an independent package, and by hand."""

import pytest
import torch
from pytorch_grad_cam import HiResCAM
from torch import Tensor, nn

from trainables.cams import hirescam
from trainables.config import ModelConfig, SmallCnn, Torchvision
from trainables.models import Classifier, build_model

VARIANTS: list[ModelConfig] = [
    SmallCnn(width=8),
    SmallCnn(width=8, norm="group", cam_stride=4, head_bias=True, final_norm=False, final_relu=False),
    Torchvision(kind="resnet18", cam_stride=16, head_bias=True, final_norm=False, final_relu=False),
]


class LogitsOnly(nn.Module):
    """What the independent package expects of a network."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.classifier(images_BCHW).logits


def fresh(config: ModelConfig) -> Classifier:
    torch.manual_seed(0)
    return build_model(config, num_classes=4).model.train()


def images() -> Tensor:
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    weight = torch.tensor([[1.0, 0.0], [10.0, -1.0]])
    expected = torch.tensor([[[[0.5, 1.0]], [[3.5, 8.0]]]])
    torch.testing.assert_close(hirescam(features, weight), expected)


@pytest.mark.parametrize("config", VARIANTS, ids=lambda config: config.kind)
def test_equals_the_gradient_of_the_logit_times_the_features(config: ModelConfig) -> None:
    model = fresh(config)
    output = model(images())
    cams = hirescam(output.features, model.head.weight)
    for k in range(4):
        (gradient,) = torch.autograd.grad(output.logits[:, k].sum(), output.features, retain_graph=True)
        torch.testing.assert_close(cams[:, k], (gradient * output.features).sum(1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("config", VARIANTS, ids=lambda config: config.kind)
def test_equals_the_map_of_grad_cam_before_its_scaling(config: ModelConfig) -> None:
    model = fresh(config)
    with torch.no_grad():
        cams = hirescam(model(images()).features, model.head.weight)
    for k in range(4):
        torch.testing.assert_close(cams[:, k], unscaled_map(model, k), rtol=1e-4, atol=1e-6)


def unscaled_map(model: Classifier, k: int) -> Tensor:
    with HiResCAM(LogitsOnly(model), [model.trunk]) as explainer:
        model.train()  # the explainer has put it into eval mode
        recorder = explainer.activations_and_grads
        recorder(images())[:, k].sum().backward()
        activations, gradients = recorder.activations[0].numpy(), recorder.gradients[0].numpy()
        return torch.from_numpy(explainer.get_cam_image(images(), model.trunk, None, activations, gradients, False))


def test_under_autocast_it_keeps_the_wider_dtype() -> None:
    features, weight = torch.rand(2, 8, 3, 3), torch.rand(4, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cams = hirescam(features, weight)
    torch.testing.assert_close(cams, hirescam(features, weight), rtol=0, atol=0)
    assert hirescam(features.bfloat16(), weight).dtype == torch.float32
    assert hirescam(features, weight.double()).dtype == torch.float64
