"""What an objective is in each epoch."""

import pytest

from trainables.config import (
    BinaryContrastive,
    Contrastive,
    CrossEntropy,
    Guidance,
    Rrr,
    SupCon,
    objective_at,
    penalty_weights,
)


@pytest.mark.parametrize("kind", [Contrastive, BinaryContrastive])
def test_the_background_weight_rises_from_0(kind: type[Contrastive | BinaryContrastive]) -> None:
    objective = kind(background_weight=2.0, background_weight_warmup=4)
    found = [objective_at(objective, epoch) for epoch in range(1, 8)]
    assert [each.background_weight for each in found] == [0, 0.5, 1, 1.5, 2, 2, 2]
    assert found[4:] == [objective] * 3


@pytest.mark.parametrize("objective", [CrossEntropy(), Contrastive(background_weight=0.3), SupCon()], ids=repr)
def test_without_a_warm_up_it_is_the_same_in_every_epoch(objective: CrossEntropy | Contrastive | SupCon) -> None:
    assert objective_at(objective, 1) is objective


def test_the_weights_that_can_be_lowered() -> None:
    objective = BinaryContrastive(guidance=Guidance(weight=1.0), rrr=Rrr(weight=1.0))
    names = ("background_weight", "guidance.weight", "rrr.weight")
    assert penalty_weights(objective) == [f"objective.{name}" for name in names]
