"""The stages of every network: parts from the input to the output that hold each parameter once."""

from typing import get_args

import pytest

from benchmarks.harness.on_meta import OnMeta
from tests.trainables.models.networks import KINDS, config_of
from trainables.config.model import TorchvisionKind
from trainables.models import Classifier, build_model

ALL_KINDS = ("small_cnn", *get_args(TorchvisionKind))
NUM_STAGES = {"small_cnn": 5, "efficientnet_v2_s": 8, "efficientnet_v2_m": 9, "efficientnet_v2_l": 9}
"""Of the others there are five: the stem, and four."""


def build(kind: str, **fields: object) -> Classifier:
    with OnMeta():
        return build_model(config_of(kind, **fields), num_classes=3).model


def stages_with(model: Classifier, parameter: str) -> list[int]:
    return [
        number
        for number, stage in enumerate(model.stages)
        for name in stage
        if parameter == name or parameter.startswith(f"{name}.")
    ]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_parameter_of_the_trunk_lies_in_one_stage(kind: str) -> None:
    model = build(kind)
    assert len(model.stages) == NUM_STAGES.get(kind, 5)
    found = [stages_with(model, name) for name, _ in model.trunk.named_parameters()]
    assert {len(numbers) for numbers in found} == {1}
    order = [number for (number,) in found]
    assert order == sorted(order)
    assert {*order} == {*range(len(model.stages))}


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_without_its_last_norm_names_nothing_that_is_gone(kind: str) -> None:
    model = build(kind, final_norm=False)
    for name in (name for stage in model.stages for name in stage):
        model.trunk.get_submodule(name)
    assert {len(stages_with(model, name)) for name, _ in model.trunk.named_parameters()} == {1}
