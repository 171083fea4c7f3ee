import math

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import context_of, four_images, linear_classifier
from tests.trainables.evaluations.extremes import background_reader, extreme_context, object_reader
from trainables.config import SpuriousDigits
from trainables.data import build_data
from trainables.evaluations import EvaluationContext
from trainables.evaluations.influence import INFLUENCE, influence_shares
from trainables.models import Classifier


def test_shares_by_hand() -> None:
    assert influence_shares(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 12.0])) == {
        "background/influence_share": 0.75,
        "background/foreground_influence": 2.0,
        "background/background_influence": 6.0,
    }


def test_a_network_without_any_influence_has_no_share() -> None:
    assert math.isnan(influence_shares(torch.zeros(3), torch.zeros(3))["background/influence_share"])


def test_four_images_by_hand_without_the_one_that_has_no_mask(red_or_green: Classifier) -> None:
    foreground, background = (1 / 4 + 1 / 4 + 1 / 8) / 3, (1 / 4 + 3 / 4 + 1 / 8) / 3
    result = INFLUENCE.run(context_of(red_or_green, four_images()))
    assert result.metrics == {
        "background/influence_share": pytest.approx(background / (foreground + background)),
        "background/foreground_influence": pytest.approx(foreground),
        "background/background_influence": pytest.approx(background),
    }
    assert result.settings == {"num_pictures": 3, "num_without_mask": 1}
    assert result.samples == {
        "background/foreground_influence": {"image-0": 1 / 4, "image-1": 1 / 4, "image-3": 1 / 8},
        "background/background_influence": {"image-0": 1 / 4, "image-1": 3 / 4, "image-3": 1 / 8},
    }


def test_an_image_that_gets_a_mask_counts(red_or_green: Classifier) -> None:
    """Image 2 then is all object, with an influence of 1."""
    metrics = INFLUENCE.run(context_of(red_or_green, four_images(has_mask=[True] * 4))).metrics
    assert metrics["background/foreground_influence"] == pytest.approx((1 / 4 + 1 / 4 + 1 + 1 / 8) / 4)
    assert metrics["background/background_influence"] == pytest.approx((1 / 4 + 3 / 4 + 1 / 8) / 4)


class Ink(nn.Module):
    """The bright stroke, which no texture reaches."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return (images_BCHW.amin(1, keepdim=True) - 0.8).clamp(min=0)


class Texture(nn.Module):
    """Colour, which neither the stroke nor its outline has."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        saturation = images_BCHW.amax(1, keepdim=True) - images_BCHW.amin(1, keepdim=True)
        return (saturation > 0.3).float()


def share_on_digits(trunk: nn.Module) -> float:
    data = build_data(SpuriousDigits(num_train=10, num_test=32))
    model = linear_classifier([[float(k)] for k in range(10)], trunk=trunk)
    context = EvaluationContext(model=model, data=data, device=torch.device("cpu"), batch_size=16)
    return INFLUENCE.run(context).metrics["background/influence_share"]


def test_a_network_that_reads_the_ink_alone_has_a_share_of_zero() -> None:
    assert share_on_digits(Ink()) == 0


def test_a_network_that_reads_the_texture_alone_has_a_share_near_one() -> None:
    assert share_on_digits(Texture()) > 0.99


def test_the_extremes_have_shares_of_one_and_of_zero() -> None:
    """Of two rivals each map is the tint on every pixel that the network sees, 120 of the background and 24 of 144."""
    metrics = INFLUENCE.run(extreme_context(background_reader())).metrics
    assert metrics["background/influence_share"] == 1
    assert metrics["background/background_influence"] == pytest.approx(2 * 0.02 * 120 / 144)
    metrics = INFLUENCE.run(extreme_context(object_reader())).metrics
    assert metrics["background/influence_share"] == 0
    assert metrics["background/foreground_influence"] == pytest.approx(2 * 0.02 * 24 / 144)
