import gc
import weakref
from math import exp

import pytest
import torch
from torch import Tensor

from tests.trainables.evaluations.attribution.networks import make_images, red_against_green, small_network
from trainables.evaluations.attribution.flipping import area_under, even_steps, flipping_curves
from trainables.evaluations.plain_logits import PlainLogits
from trainables.models import Classifier

RED = torch.tensor([[1.0, 0.5], [0.0, 0.25]])
IMAGE = torch.stack([RED, torch.full((2, 2), 0.4), torch.full((2, 2), 0.9)]).unsqueeze(0)


def curves(model: Classifier, images_BCHW: Tensor, map_BHW: Tensor, num_steps: int) -> Tensor:
    return flipping_curves(model, images_BCHW, model(images_BCHW).logits.detach(), map_BHW, num_steps=num_steps)


def sigmoid(value: float) -> float:
    return 1 / (1 + exp(-value))


def test_by_hand() -> None:
    """`s_0 - s_1 = sum(2 red - green) / 4` over the pixels that are left, which go in the order of red."""
    result = curves(red_against_green(), IMAGE, RED.unsqueeze(0), 4)
    left = [(1.0, 0.5, 0.25, 0.0), (0.5, 0.25, 0.0), (0.25, 0.0), (0.0,), ()]
    expected = [sigmoid(sum(2 * red - 0.4 for red in kept) / 4) for kept in left]
    assert result.shape == (1, 5)
    assert result[0].tolist() == pytest.approx(expected, abs=1e-7)
    inner = sum(expected[1:-1])
    assert area_under(result).item() == pytest.approx((expected[0] / 2 + inner + expected[-1] / 2) / 4, abs=1e-7)


def test_a_step_turns_several_pixels_black() -> None:
    fine = curves(red_against_green(), IMAGE, RED.unsqueeze(0), 4)
    coarse = curves(red_against_green(), IMAGE, RED.unsqueeze(0), 2)
    torch.testing.assert_close(coarse, fine[:, ::2])


def test_black_is_zero_and_not_the_images_lowest_value() -> None:
    """A black image has equal logits; one all over at 0.4, the lowest value above, has not."""
    bright = IMAGE.clamp(min=0.4)
    result = curves(red_against_green(), bright, RED.unsqueeze(0), 4)
    assert result[0, -1].item() == 0.5


@pytest.mark.parametrize("shift", [0.0, -100.0])
def test_against_a_loop(shift: float) -> None:
    model, images = small_network(), make_images(5)
    maps = torch.randn(5, 8, 8, generator=torch.Generator().manual_seed(1)) + shift
    targets = model(images).logits.argmax(1)
    result = curves(model, images, maps, 16)
    for index in range(5):
        left = images[index].clone()
        expected = [model(left.unsqueeze(0)).logits.softmax(1)[0, targets[index]].item()]
        for position, pixel in enumerate(maps[index].flatten().argsort(descending=True).tolist(), start=1):
            left[:, pixel // 8, pixel % 8] = 0
            if position % 4 == 0:
                expected.append(model(left.unsqueeze(0)).logits.softmax(1)[0, targets[index]].item())
        assert result[index].tolist() == pytest.approx(expected, abs=1e-6)


def test_parity_with_a_direct_call() -> None:
    """Quantus numbers the channels of an image apart; here 12 values a step are 4 pixels, and no two pixels tie."""
    import quantus

    model, images = small_network(), make_images(3, side=6)
    maps = torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(1))
    targets = model(images).logits.argmax(1)
    direct = quantus.PixelFlipping(features_in_step=12, perturb_baseline=0.0, disable_warnings=True)(
        model=PlainLogits(model),
        x_batch=images.numpy(),
        y_batch=targets.numpy(),
        a_batch=maps.unsqueeze(1).numpy(),
        channel_first=True,
    )
    result = curves(model, images, maps, 9)
    torch.testing.assert_close(result[:, 1:], torch.tensor(direct, dtype=torch.float64), rtol=0, atol=1e-6)


def test_a_flat_map_has_no_curve_and_spoils_no_other() -> None:
    images = IMAGE.expand(3, -1, -1, -1)
    maps = torch.stack([torch.zeros(2, 2), RED, torch.full((2, 2), -0.3)])
    result = curves(red_against_green(), images, maps, 4)
    assert result.isnan().all(1).tolist() == [True, False, True]
    alone = curves(red_against_green(), IMAGE, RED.unsqueeze(0), 4)
    assert torch.equal(result[1:2], alone)
    assert curves(red_against_green(), IMAGE, maps[:1], 4).isnan().all()


def test_a_black_image_is_no_special_case() -> None:
    result = curves(red_against_green(), 0 * IMAGE, RED.unsqueeze(0), 4)
    assert result.tolist() == [[0.5] * 5]


def test_random_and_reversed_orders_are_worse_on_a_linear_network() -> None:
    """Where the logits are sums over pixels, no order is better than theirs and none worse than its reverse."""
    model, images = red_against_green(), make_images(1)
    evidence = 2 * images[:, 0] - images[:, 1]

    def area(maps: Tensor) -> float:
        return area_under(curves(model, images, maps, 64)).item()

    randoms = [torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(10)]
    assert all(area(evidence) < area(random) < area(-evidence) for random in randoms)


def test_arguments_and_network_stay_as_they_are() -> None:
    model, images, maps = small_network(), make_images(2), torch.randn(2, 8, 8, dtype=torch.float64)
    images_before, maps_before = images.clone(), maps.clone()
    curves(model, images, maps, 4)
    assert torch.equal(images, images_before)
    assert torch.equal(maps, maps_before)
    assert not any(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A message to the root logger would set up logging for the whole program."""
    with caplog.at_level("DEBUG"):
        curves(red_against_green(), IMAGE, RED.unsqueeze(0), 4)
    assert caplog.records == []


def test_neither_network_nor_images_outlive_the_call() -> None:
    model, images = small_network(), make_images(2)
    curves(model, images, images[:, 0], 4)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("num_pixels", "target", "expected"),
    [(64 * 64, 32, 32), (224 * 224, 32, 32), (48 * 48, 32, 32), (28 * 28, 32, 28), (37 * 37, 32, 37), (4, 32, 4)],
)
def test_steps_divide_the_image(num_pixels: int, target: int, expected: int) -> None:
    assert even_steps(num_pixels, target) == expected
