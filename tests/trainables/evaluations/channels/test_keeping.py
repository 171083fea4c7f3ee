"""Accuracy on a few channels, worked out by hand."""

from collections.abc import Sequence

import pytest
import torch

from tests.trainables.evaluations.conftest import context_of, four_images
from trainables.evaluations.channels.keeping import Kept, channel_counts, channel_influence, keep_channels
from trainables.evaluations.channels.sample import read_sample
from trainables.models import Classifier


@pytest.mark.parametrize(
    ("num_channels", "expected"), [(1, (1,)), (2, (1, 2)), (4, (1, 2, 4)), (5, (1, 2, 4, 5)), (12, (1, 2, 4, 8, 12))]
)
def test_numbers_of_channels(num_channels: int, expected: Sequence[int]) -> None:
    assert channel_counts(num_channels) == expected


def test_influence_is_over_all_classes() -> None:
    pooled, weight = torch.tensor([[-1.0, 0.5], [1.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 3.0]])
    # Class 0: |2 - 0| + |2 - 1| and |0 - 1| + |0 - 3|; class 1: |0 - 2| + |0 - 1| and |1 - 0| + |1 - 3|.
    assert channel_influence(pooled, weight, torch.tensor([0, 1])).tolist() == [[3, 2], [3, 3]]


def kept_of(model: Classifier) -> Kept:
    return keep_channels(read_sample(context_of(model, four_images())), torch.Generator().manual_seed(0))


def test_channels_are_kept_by_what_they_contribute(red_or_green: Classifier) -> None:
    """Blue, at 0.7 in every image, is active and says nothing: of equal logits, the first class counts."""
    kept = kept_of(red_or_green)
    assert kept.counts == (1, 2, 3)
    assert kept.by_contribution_NM.tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1]]
    assert kept.by_activation_NM.tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 1, 1]]


def test_the_control_is_a_mean_over_orders(red_or_green: Classifier) -> None:
    kept = kept_of(red_or_green)
    assert kept.at_random_NM[:, -1].tolist() == [1, 1, 0, 1]
    # Image 3 needs green: it is right at one channel as often as green comes first.
    assert 0 < kept.at_random_NM[3, 0].item() < kept.at_random_NM[3, 1].item() < 1
    assert kept_of(red_or_green).at_random_NM.tolist() == kept.at_random_NM.tolist()
