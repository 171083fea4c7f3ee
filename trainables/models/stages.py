"""The stages of a network's trunk as modules and parameters."""

from typing import NamedTuple

from torch import nn

from trainables.models.classifier import Classifier


class Stage(NamedTuple):
    """One part of a trunk, of those from the input to the output."""

    modules: list[nn.Module]
    parameters: list[nn.Parameter]


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
    return stages
