from math import e, inf, nan

import pytest
import torch

from tests.trainables.evaluations.conftest import Images, context_of, four_images, linear_classifier
from trainables.evaluations import NotPossibleError
from trainables.evaluations.galleries.readings import read_sample
from trainables.models import Classifier


def test_four_images_by_hand(red_or_green: Classifier) -> None:
    result = read_sample(context_of(red_or_green, four_images()))
    quarter = e**0.25 / (1 + e**0.25)
    assert result.predicted_N.tolist() == [0, 0, 0, 1]
    assert result.confidence_N.tolist() == pytest.approx([0.5, e / (1 + e), e / (1 + e), quarter])
    assert result.confidence_N.dtype == torch.float64
    assert result.rival_N.tolist() == [1, 1, 0, 0]
    assert result.contrast_NHW.tolist() == [
        [[0.25, 0], [0, -0.25]],
        [[0.25, 0.25], [0.25, 0.25]],
        [[-0.25, -0.25], [-0.25, -0.25]],
        [[0.25, 0], [0, 0]],
    ]
    torch.testing.assert_close(result.influence_NHW, result.contrast_NHW.abs())
    assert result.background_share_N.tolist() == pytest.approx([1 / 2, 3 / 4, nan, 1 / 2], nan_ok=True)


def test_the_rival_is_the_highest_of_the_others() -> None:
    """All classes score the mean of red, times 1, 3, 2 and -1; the influence is the sum of the differences."""
    model = linear_classifier([[1.0, 0, 0], [3.0, 0, 0], [2.0, 0, 0], [-1.0, 0, 0]])
    images = torch.zeros(4, 3, 1, 1)
    images[:, 0] = 0.5
    images = Images(images, [0, 1, 2, 3], torch.zeros(4, 1, 1), [False] * 4)
    result = read_sample(context_of(model, images))
    assert result.predicted_N.tolist() == [1, 1, 1, 1]
    assert result.rival_N.tolist() == [1, 2, 1, 1]
    assert result.contrast_NHW.flatten().tolist() == [-1, 0.5, -0.5, -2]
    assert result.influence_NHW.flatten().tolist() == [
        0.5 * (2 + 1 + 2),
        0.5 * (2 + 1 + 4),
        0.5 * (1 + 1 + 3),
        0.5 * (2 + 4 + 3),
    ]
    assert result.background_share_N.isnan().all()


def test_an_image_without_influence_has_no_share(red_or_green: Classifier) -> None:
    images = four_images()
    images._images_NCHW[0] = 0
    result = read_sample(context_of(red_or_green, images))
    assert result.background_share_N[0].isnan()
    assert result.background_share_N[1] == 0.75


@pytest.mark.parametrize("value", [nan, inf])
def test_logits_that_are_no_numbers_are_refused(red_or_green: Classifier, value: float) -> None:
    with torch.no_grad():
        red_or_green.head.weight[1, 1] = value
    with pytest.raises(NotPossibleError, match="logits are not finite"):
        read_sample(context_of(red_or_green, four_images()))


def test_one_class_has_no_rival() -> None:
    with pytest.raises(NotPossibleError, match="no rival"):
        read_sample(context_of(linear_classifier([[1.0, 0.0, 0.0]]), four_images()))


def test_progress_is_reported(red_or_green: Classifier) -> None:
    ticks: list[tuple[int, int]] = []
    read_sample(context_of(red_or_green, four_images(), tick=lambda done, total: ticks.append((done, total))))
    assert ticks == [(3, 4), (4, 4)]
