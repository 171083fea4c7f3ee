"""Features that are pooled to an embedding of length 1."""

import torch
from torch import nn

from trainables.classifiers import UnitFeatures


def test_the_mean_is_the_normalised_embedding() -> None:
    features = torch.rand(4, 6, 3, 5)
    unit = UnitFeatures(nn.Identity())(features)
    torch.testing.assert_close(unit.mean((2, 3)), nn.functional.normalize(features.mean((2, 3)), dim=1))
    ratio = unit / features
    torch.testing.assert_close(ratio, ratio[:, :1, :1, :1].expand_as(ratio))


def test_features_of_nothing_stay_nothing() -> None:
    features = torch.zeros(1, 2, 2, 2, requires_grad=True)
    unit = UnitFeatures(nn.Identity())(features)
    assert torch.equal(unit, torch.zeros(1, 2, 2, 2))
    unit.sum().backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_half_precision_becomes_single() -> None:
    assert UnitFeatures(nn.Identity())(torch.ones(1, 2, 2, 2, dtype=torch.bfloat16)).dtype == torch.float32
