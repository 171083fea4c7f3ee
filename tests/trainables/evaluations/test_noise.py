from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import Images, context_of, linear_classifier
from tests.trainables.evaluations.extremes import background_reader, extreme_context, object_reader
from trainables.config import Suite
from trainables.evaluations.noise import NOISE, add_noise, class_mean, relative_foreground_sensitivity


@pytest.mark.parametrize(
    ("noise_on_foreground", "noise_on_background", "expected"),
    [
        (0.5, 0.9, 2 / 3),  # a = 0.7: 0.4 / (2 * 0.3).
        (0.9, 0.5, -2 / 3),
        (0.1, 0.3, 0.5),  # a = 0.2: 0.2 / (2 * 0.2).
        (0.2, 1.0, 1.0),
        (1.0, 0.2, -1.0),
        (0.0, 0.4, 1.0),
        (0.6, 0.6, 0.0),
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 0.0),
        (0.0, 1.0, 1.0),
    ],
)
def test_rfs_by_hand(noise_on_foreground: float, noise_on_background: float, expected: float) -> None:
    assert relative_foreground_sensitivity(noise_on_foreground, noise_on_background) == pytest.approx(expected)


def test_the_class_mean_gives_every_class_the_same_weight() -> None:
    """Class 0 has 1 of 3, class 2 has 1 of 1, and class 1 does not occur."""
    assert class_mean(torch.tensor([1.0, 0.0, 0.0, 1.0]), torch.tensor([0, 0, 0, 2])) == pytest.approx(2 / 3)


def test_noise_is_weighed_by_the_share_and_clamped() -> None:
    images = torch.tensor([0.5, 0.5, 0.5, 0.9, 0.1]).view(1, 1, 1, 5)
    noise = torch.tensor([0.4, 0.4, 0.4, 0.4, -0.4]).view(1, 1, 1, 5)
    share = torch.tensor([0.0, 1.0, 0.5, 1.0, 1.0]).view(1, 1, 5)
    torch.testing.assert_close(add_noise(images, noise, share).flatten(), torch.tensor([0.5, 0.9, 0.7, 1.0, 0.0]))


class Tampered(nn.Module):
    """One feature: the share of pixels of the left half, or of the right, that differ from 0.5."""

    def __init__(self, side: slice) -> None:
        super().__init__()
        self.side = side

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return (images_BCHW != 0.5).float().amax(1, keepdim=True)[..., self.side]


def grey_images(labels: list[int]) -> Images:
    """Return grey images of 4 x 4 pixels whose left half is the object."""
    background = torch.zeros(len(labels), 4, 4)
    background[:, :, 2:] = 1
    return Images(torch.full((len(labels), 3, 4, 4), 0.5), labels, background, [True] * len(labels))


@pytest.mark.parametrize(("side", "expected"), [(slice(0, 2), 1.0), (slice(2, 4), -1.0)])
def test_noise_is_where_it_should_be_alone(side: slice, expected: float) -> None:
    """The network says class 1 where it finds noise, else class 0, which all images are."""
    model = linear_classifier([[0.0], [1.0]], trunk=Tampered(side))
    result = NOISE.run(context_of(model, grey_images([0] * 5)))
    on_object, on_background = (0.0, 1.0) if expected > 0 else (1.0, 0.0)
    assert result.metrics == {
        "background/rfs": expected,
        "background/noise_on_foreground": on_object,
        "background/noise_on_background": on_background,
    }


def test_classes_weigh_alike_however_many_images_they_have() -> None:
    """Noise on the object turns every prediction to class 1: right for 1 of 5 images, and for 1 of 2 classes."""
    model = linear_classifier([[0.0], [1.0]], trunk=Tampered(slice(0, 2)))
    result = NOISE.run(context_of(model, grey_images([0, 0, 0, 0, 1])))
    assert result.metrics["background/noise_on_foreground"] == 0.5
    assert result.metrics["background/noise_on_background"] == 0.5
    assert result.metrics["background/rfs"] == 0


class Brighter(nn.Module):
    """One feature: by how much the object's mean differs from grey."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return images_BCHW.mean(1, keepdim=True)[..., :2] - 0.5


def test_trials_are_averaged() -> None:
    """The sign of a mean of noise is a coin: over many trials both classes of grey images get near a half."""
    model = linear_classifier([[0.0], [1.0]], trunk=Brighter())
    settings = Suite(background={"noise_trials": 200})
    result = NOISE.run(context_of(model, grey_images([0, 1]), settings=settings))
    assert result.metrics["background/noise_on_foreground"] == pytest.approx(0.5, abs=4 * 0.5 / 400**0.5)
    assert result.metrics["background/noise_on_background"] == 0.5
    assert (result.metrics["background/noise_on_foreground"] * 400) % 1 == pytest.approx(0, abs=1e-9)
    assert result.settings["noise_trials"] == 200


def test_more_noise_does_more_harm() -> None:
    accuracies = [
        NOISE.run(extreme_context(object_reader(), background={"noise_sigma": sigma})).metrics[
            "background/noise_on_foreground"
        ]
        for sigma in (1e-4, 0.05, 0.25)
    ]
    assert accuracies[0] == 1
    assert accuracies[0] > accuracies[1] > accuracies[2]


def test_a_network_that_reads_the_background_alone_has_an_rfs_of_minus_one() -> None:
    result = NOISE.run(extreme_context(background_reader()))
    assert result.metrics["background/noise_on_foreground"] == 1
    assert result.metrics["background/noise_on_background"] < 0.7
    assert result.metrics["background/rfs"] == -1


def test_a_network_that_reads_the_object_alone_has_an_rfs_of_one() -> None:
    result = NOISE.run(extreme_context(object_reader()))
    assert result.metrics["background/noise_on_background"] == 1
    assert result.metrics["background/noise_on_foreground"] < 0.7
    assert result.metrics["background/rfs"] == 1


def test_metrics_follow_the_seed_and_neither_the_batches_nor_what_was_drawn_before() -> None:
    context, before = extreme_context(object_reader(), num=30), torch.get_rng_state()
    first = NOISE.run(context)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(123)
    assert NOISE.run(extreme_context(object_reader(), num=30, batch_size=7)) == first
    assert NOISE.run(extreme_context(object_reader(), num=30, seed=1)).metrics != first.metrics


def test_an_image_s_noise_is_its_own_whatever_the_batch() -> None:
    """Torch draws normal numbers in blocks of 16, so that of 75 to an image each batch would else have its own."""
    background = torch.zeros(40, 5, 5)
    background[..., 2:] = 1
    images = Images(torch.full((40, 3, 5, 5), 0.5), [0] * 40, background, [True] * 40)
    context = context_of(linear_classifier([[0.0], [1.0]], trunk=Brighter()), images)
    result = [NOISE.run(replace(context, batch_size=batch_size)).metrics for batch_size in (1, 3, 40)]
    assert 0 < result[0]["background/noise_on_foreground"] < 1
    assert result[0] == result[1] == result[2]


def test_settings_say_what_was_done() -> None:
    result = NOISE.run(extreme_context(object_reader(), num=30, sample=20, seed=5))
    assert result.settings == {
        "seed": 5,
        "num_pictures": 20,
        "num_without_mask": 0,
        "noise_sigma": 0.25,
        "noise_trials": 3,
    }
    assert set(result.metrics) == set(NOISE.directions)
