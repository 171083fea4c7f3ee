"""Influence on the object and on the background."""

import pytest
import torch

from trainables.cams import class_influence, influence


def test_by_hand() -> None:
    contrastive = torch.tensor(
        [[[[0.0, 0.0]], [[1.0, -2.0]], [[-3.0, 4.0]]], [[[1.0, 1.0]], [[0.0, 0.0]], [[2.0, 0.0]]]]
    )
    background = torch.tensor([[[1.0, 0.25]], [[0.0, 0.0]]])
    foreground_B, background_B = influence(contrastive, background)
    # First image: cell sums 4 and 6, of which all and a quarter are background.
    assert foreground_B.tolist() == [4.5, 4.0]
    assert background_B.tolist() == [5.5, 0.0]


def test_a_background_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 8, 8\), and the maps need \(2, 4, 4\); reduce_background"):
        influence(torch.zeros(2, 3, 4, 4), torch.zeros(2, 8, 8))


def test_the_influence_of_classes_by_hand() -> None:
    """In the second cell class 0 has half an object, a quarter of background, and a quarter that is neither."""
    cams = torch.tensor([[[[1.0, -4.0]], [[-2.0, 8.0]]]])
    foreground_BK, background_BK = class_influence(
        cams, torch.tensor([[[[0.0, 0.5]], [[1.0, 0.25]]]]), torch.tensor([[[[1.0, 0.25]], [[0.0, 0.5]]]])
    )
    assert foreground_BK.tolist() == [[2.0, 4.0]]
    assert background_BK.tolist() == [[2.0, 4.0]]
