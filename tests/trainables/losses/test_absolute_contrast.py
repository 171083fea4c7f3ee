"""The sum of absolute contrasts."""

import torch

from trainables.losses.absolute_contrast import absolute_contrast


def test_by_hand() -> None:
    features = torch.tensor([[[1.0, -2.0], [0.0, 1.0]]])
    weight = torch.tensor([[1.0, 1.0], [0.0, 0.0], [2.0, -1.0]])
    # Scores of the two cells: 1 and -1, 0 and 0, 2 and -5.
    assert absolute_contrast(features, weight, torch.tensor([0])).tolist() == [[0.0, 2.0, 5.0]]
    assert absolute_contrast(features, weight, torch.tensor([2])).tolist() == [[5.0, 7.0, 0.0]]


def test_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 4, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 4, 2])
    assert torch.autograd.gradcheck(lambda f, w: absolute_contrast(f, w, labels), (features, weight))


def test_the_own_class_is_exactly_zero() -> None:
    features, labels = torch.randn(32, 64, 49) * 1e4, torch.arange(32)
    assert torch.count_nonzero(absolute_contrast(features, torch.randn(40, 64), labels)[torch.arange(32), labels]) == 0
