"""Accuracy under corruption, on networks and images that can be worked out by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.trainables.evaluations.conftest import Images, context_of
from tests.trainables.evaluations.counting import RED, more_than
from trainables.config import Suite
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.corruption.corruption import CORRUPTION, CORRUPTIONS
from trainables.evaluations.corruption.severity import SEVERITIES
from trainables.evaluations.result import NotPossibleError

PREFIX = "val/shift/corruption/"


def images_of(*reds: float) -> Images:
    """Images of 4 x 4 pixels, of one red each; those of class 0 come first."""
    images_NCHW = torch.zeros(len(reds), 3, 4, 4)
    images_NCHW[:, 0] = torch.tensor(reds).view(-1, 1, 1)
    labels = [int(index >= len(reds) / 2) for index in range(len(reds))]
    return Images(images_NCHW, labels, torch.zeros(len(reds), 4, 4), [False] * len(reds))


def context(*reds: float, limit: float = 0.5, **changes: object) -> EvaluationContext:
    return replace(context_of(more_than(16 * limit, RED), images_of(*reds)), **changes)


def test_brightness_by_hand() -> None:
    """Red of 0.4 and 0.1 becomes 0.5 to 0.9, and 0.2 to 0.6: more than 0.45 is class 0.

    So the first is right from severity 1 on, and the second, of class 1, until severity 3.
    """
    result = CORRUPTION.run(context(0.4, 0.1, limit=0.45))
    assert result.samples[f"{PREFIX}brightness"] == {"image-0": 1, "image-1": pytest.approx(3 / 5)}
    assert result.metrics[f"{PREFIX}brightness"] == pytest.approx(4 / 5)
    (curve,) = (curve for curve in result.curves if curve.name == "brightness")
    assert (curve.x, curve.y) == ((0, 1, 2, 3, 4, 5), (0.5, 1, 1, 1, 0.5, 0.5))


def test_what_keeps_the_mean_changes_nothing() -> None:
    result = CORRUPTION.run(context(0.9, 0.1))
    for name in ("defocus_blur", "motion_blur", "zoom_blur", "contrast", "pixelate"):
        assert result.metrics[f"{PREFIX}{name}"] == 1


def test_the_whole_is_the_mean_of_all_corruptions() -> None:
    result = CORRUPTION.run(context(0.6, 0.55, 0.4, 0.1))
    each = [result.metrics[f"{PREFIX}{name}"] for name in CORRUPTIONS]
    assert 0.5 < min(each) < max(each) == 1
    assert result.metrics[f"{PREFIX}accuracy"] == pytest.approx(sum(each) / len(CORRUPTIONS))
    assert result.samples[f"{PREFIX}accuracy"].keys() == {f"image-{index}" for index in range(4)}
    assert result.metrics.keys() == {f"val/{name}" for name in CORRUPTION.directions}


def test_on_test_images_the_names_have_no_split() -> None:
    assert CORRUPTION.run(context(0.9, 0.1, split="test")).metrics.keys() == CORRUPTION.directions.keys()


def test_values_follow_the_seed_and_the_image_alone() -> None:
    """With a batch of one image, or in company, an image is corrupted as before."""
    reds = (0.55, 0.52, 0.48, 0.45)
    one = CORRUPTION.run(context(*reds))
    assert CORRUPTION.run(context(*reds, batch_size=1)).samples == one.samples
    other = CORRUPTION.run(context(*reds, settings=Suite(seed=1)))
    assert other.samples[f"{PREFIX}gaussian_noise"] != one.samples[f"{PREFIX}gaussian_noise"]
    assert other.samples[f"{PREFIX}contrast"] == one.samples[f"{PREFIX}contrast"]


def test_a_shifted_set_of_the_same_name_is_in_the_way() -> None:
    found = context(0.9, 0.1)
    data = replace(found.data, val_shift={"corruption": images_of(0.9, 0.1)})
    with pytest.raises(NotPossibleError, match="a shifted set is called corruption too"):
        CORRUPTION.run(replace(found, data=data))


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("side", [8, 33])
def test_every_corruption_returns_another_image_of_the_same_kind(name: str, side: int) -> None:
    image = torch.rand(3, side, side + 1, generator=torch.Generator().manual_seed(0))
    before = image.clone()
    strongest = [corrupted(name, image, severity) for severity in SEVERITIES][-1]
    assert torch.equal(image, before)
    assert (strongest.shape, strongest.dtype) == (image.shape, torch.float32)
    assert 0 <= strongest.min() <= strongest.max() <= 1
    if side > 20 or name != "defocus_blur":
        assert not torch.equal(strongest, image)


def corrupted(name: str, image: Tensor, severity: int) -> Tensor:
    return CORRUPTIONS[name](image, severity, torch.Generator().manual_seed(0))
