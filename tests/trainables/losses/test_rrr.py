"""The gradient on the background's pixels against a loop over every pixel, by hand, and in a world of two pixels."""

import math

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.losses.two_pixels import after_training, terms
from trainables.config import BinaryContrastive, BinaryCrossEntropy, Contrastive, CrossEntropy, Rrr
from trainables.losses import right_reasons

EPSILON = 1e-6
NETWORK = tuple[Tensor, Tensor]


def weights() -> NETWORK:
    """Return the weights of a network of one 2x2 convolution, tanh, pooling and head of three classes, in float64."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((4, 2, 2, 2), (3, 4))
    kernel, head = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return kernel, head


def logits(images_BCHW: Tensor, kernel: Tensor, head: Tensor) -> Tensor:
    return nn.functional.conv2d(images_BCHW, kernel).tanh().mean((2, 3)) @ head.T


def images() -> tuple[Tensor, Tensor]:
    """Return two images of two channels with soft masks."""
    generator = torch.Generator().manual_seed(1)
    images_BCHW = torch.rand(2, 2, 3, 3, generator=generator, dtype=torch.float64)
    background_BHW = torch.rand(2, 3, 3, generator=generator, dtype=torch.float64)
    background_BHW[0, 0], background_BHW[0, 1] = 0, 1
    return images_BCHW, background_BHW


def certainty(image_CHW: Tensor, *, is_binary: bool) -> float:
    """Return `sum_k log p_k`, or `sum_k log p_k (1 - p_k)`, from the definition of softmax and sigmoid."""
    values = logits(image_CHW.unsqueeze(0), *weights())[0].tolist()
    if is_binary:
        shares = [1 / (1 + math.exp(-value)) for value in values]
        return sum(math.log(p) + math.log(1 - p) for p in shares)
    return sum(math.log(math.exp(value) / sum(map(math.exp, values))) for value in values)


@pytest.mark.parametrize("is_binary", [False, True])
def test_equals_a_loop_over_every_pixel_and_channel(is_binary: bool) -> None:
    images_BCHW, background_BHW = images()
    expected = []
    for image_CHW, background_HW in zip(images_BCHW, background_BHW, strict=True):
        total = 0.0
        for channel, row, column in torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(3)).tolist():
            moved = []
            for step in (EPSILON, -EPSILON):
                other = image_CHW.clone()
                other[channel, row, column] += step
                moved.append(certainty(other, is_binary=is_binary))
            total += background_HW[row, column].item() * ((moved[0] - moved[1]) / (2 * EPSILON)) ** 2
        expected.append(total)
    images_BCHW.requires_grad_()
    found = right_reasons(logits(images_BCHW, *weights()), images_BCHW, background_BHW, is_binary=is_binary)
    assert found.tolist() == pytest.approx(expected, rel=1e-6)
    assert min(expected) > 1e-3


@pytest.mark.parametrize("is_binary", [False, True])
def test_gradient_on_the_weights(is_binary: bool) -> None:
    images_BCHW, background_BHW = images()
    images_BCHW.requires_grad_()

    def loss(kernel: Tensor, head: Tensor) -> Tensor:
        return right_reasons(logits(images_BCHW, kernel, head), images_BCHW, background_BHW, is_binary=is_binary)

    assert torch.autograd.gradcheck(loss, tuple(each.requires_grad_() for each in weights()))


@pytest.mark.parametrize(
    ("kind", "scale"),
    [(CrossEntropy, 1 / 2), (Contrastive, 1 / 2), (BinaryCrossEntropy, 1 / 4), (BinaryContrastive, 1 / 4)],
)
@pytest.mark.parametrize(("a", "b"), [(2.0, 1.0), (2.0, 3.0)])
def test_two_pixels_by_hand(kind: type[CrossEntropy], scale: float, a: float, b: float) -> None:
    """`d(sum_k log p_k) / d(x_1)` is `-b * (2p - 1)` with p of the label, and `2p - 1 = tanh(margin / 2)`.

    In a binary loss the classes have the logits of half the margin, one each way: `-b * tanh(margin / 4)`.
    """
    expected = 5 * (b * math.tanh(scale * (a + b))) ** 2
    assert terms(kind(rrr=Rrr(weight=5.0)), a, b)["rrr"] == pytest.approx([expected] * 2)


@pytest.mark.parametrize("kind", [CrossEntropy, BinaryCrossEntropy])
def test_the_shortcut_is_given_up(kind: type[CrossEntropy | BinaryCrossEntropy]) -> None:
    kept, penalised = (after_training(kind(rrr=rrr), 0.5, 1.0) for rrr in (None, Rrr(weight=20.0)))
    assert kept[1] - kept[0] == pytest.approx(0.5)
    assert abs(penalised[1]) < 0.05
    assert penalised[0] > 1


def test_images_without_a_gradient_are_refused() -> None:
    images_BCHW, background_BHW = images()
    with pytest.raises(ValueError, match="images require no gradient; expected images with requires_grad"):
        right_reasons(logits(images_BCHW, *weights()), images_BCHW, background_BHW)


def test_a_mask_on_another_grid_is_refused() -> None:
    images_BCHW, background_BHW = images()
    images_BCHW.requires_grad_()
    with pytest.raises(ValueError, match=r"the shape of background is \(2, 2, 3\); expected \(2, 3, 3\)"):
        right_reasons(logits(images_BCHW, *weights()), images_BCHW, background_BHW[:, :2])
