"""Accuracy on a few channels, worked out by hand."""

from collections.abc import Sequence

import pytest
import torch

from tests.trainables.evaluations.conftest import Images, context_of, four_images, linear_classifier
from trainables.evaluations.channels.keeping import channel_counts, hits, keep_channels
from trainables.evaluations.channels.sample import read_sample
from trainables.models import Classifier


@pytest.mark.parametrize(
    ("num_channels", "expected"), [(1, (1,)), (2, (1, 2)), (4, (1, 2, 4)), (5, (1, 2, 4, 5)), (12, (1, 2, 4, 8, 12))]
)
def test_numbers_of_channels(num_channels: int, expected: Sequence[int]) -> None:
    assert channel_counts(num_channels) == expected


def test_an_image_is_right_on_the_channels_kept(red_or_green: Classifier) -> None:
    sample = read_sample(context_of(red_or_green, four_images()))
    everything, order = torch.arange(4), torch.tensor([0, 1, 2])
    # Red alone calls every image class 0, also one without red: of equal logits, the first counts.
    assert hits(sample, everything, order, (1, 2, 3)).tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 1, 1]]
    assert hits(sample, everything[3:], order.flip(0), (1, 2)).tolist() == [[0, 1]]


def test_an_order_comes_from_the_other_half() -> None:
    """Each of two images needs one channel, which is not that of the other."""
    images = torch.zeros(2, 3, 1, 1)
    images[0, 0] = images[1, 1] = 1
    model = linear_classifier([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    sample = read_sample(context_of(model, Images(images, [1, 2], torch.zeros(2, 1, 1), [False, False])))
    kept = keep_channels(sample, torch.Generator().manual_seed(0))
    assert kept.counts == (1, 2, 3)
    assert kept.by_contribution_NM.tolist() == [[0, 1, 1], [0, 1, 1]]
    assert kept.by_activation_NM.tolist() == [[0, 1, 1], [0, 1, 1]]


def test_the_control_is_a_mean_over_orders(red_or_green: Classifier) -> None:
    sample = read_sample(context_of(red_or_green, four_images()))
    kept = keep_channels(sample, torch.Generator().manual_seed(0))
    assert kept.at_random_NM[:, -1].tolist() == kept.by_contribution_NM[:, -1].tolist() == [1, 1, 0, 1]
    # Image 3 needs green: it is right at one channel as often as green comes first.
    assert 0 < kept.at_random_NM[3, 0].item() < kept.at_random_NM[3, 1].item() < 1
    again = keep_channels(sample, torch.Generator().manual_seed(0))
    assert again.at_random_NM.tolist() == kept.at_random_NM.tolist()
