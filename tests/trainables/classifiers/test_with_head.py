"""The stages of a network with another trunk and head."""

import pytest
import torch
from torch import nn

from trainables.classifiers import NeighbourEvidence, UnitFeatures
from trainables.classifiers.with_head import with_head
from trainables.models import Classifier, stages_of


def classifier() -> Classifier:
    return Classifier(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)), nn.Linear(2, 3), stages=(("0",), ("1",)))


def evidence(trunk: nn.Module) -> nn.Module:
    return NeighbourEvidence(
        UnitFeatures(trunk), torch.eye(2), torch.tensor([0, 1]), num_classes=3, num_neighbours=1, temperature=1.0
    )


@pytest.mark.parametrize(
    ("around", "prefix", "num_features"),
    [(lambda trunk: trunk, "", 2), (UnitFeatures, "trunk.", 2), (evidence, "features.trunk.", 3)],
)
def test_the_stages_are_those_of_the_first_network(around: type[nn.Module], prefix: str, num_features: int) -> None:
    model = classifier()
    network = with_head(model, around(model.trunk), torch.zeros(3, num_features), None)
    assert network.stages == ((f"{prefix}0",), (f"{prefix}1",))
    assert [stage.modules for stage in stages_of(network)] == [[model.trunk[0]], [model.trunk[1]]]
