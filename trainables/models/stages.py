"""The stages of a network's trunk as modules and parameters."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from trainables.models.classifier import Classifier


class Stage(NamedTuple):
    """One part of a trunk, of those from the input to the output."""

    modules: list[nn.Module]
    parameters: list[nn.Parameter]
    others: Sequence[nn.Module] = ()
    """Those without parameters that were made after its own, and those that hold stages of which it is the last."""


def stages_of(model: Classifier) -> list[Stage]:
    """Return the stages of a network's trunk; each parameter lies in one of them, or there are none."""
    modules, parameters = dict(model.trunk.named_modules()), dict(model.trunk.named_parameters())
    stages = [
        Stage(
            [modules[name] for name in names if name in modules],
            [parameters[key] for key in parameters if any(key == name or key.startswith(f"{name}.") for name in names)],
        )
        for names in model.stages
    ]
    num_found = sum(len(stage.parameters) for stage in stages)
    assert not stages or num_found == len(parameters), f"the stages {model.stages} hold {num_found} parameters"
    return [stage._replace(others=others) for stage, others in zip(stages, _others(model.trunk, stages), strict=True)]


def _others(trunk: nn.Module, stages: list[Stage]) -> list[list[nn.Module]]:
    """Return the other submodules of each stage, so that each module of the trunk belongs to one."""
    number_of = {id(parameter): number for number, stage in enumerate(stages) for parameter in stage.parameters}
    named = {id(module) for stage in stages for module in stage.modules}
    others: list[list[nn.Module]] = [[] for _ in stages]
    before = 0
    for module in trunk.modules() if stages else ():
        numbers = {number_of[id(parameter)] for parameter in module.parameters()}
        if id(module) not in named:
            others[max(numbers, default=before)].append(module)
        if len(numbers) == 1:
            (before,) = numbers
    return others
