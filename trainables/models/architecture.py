"""What differs between the architectures of torchvision's networks."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import nn

Stages = tuple[tuple[str, ...], ...]
"""Names of a trunk's submodules or parameters, with those in them, grouped from the input to the output; every
parameter lies in one group. They are frozen, have their learning rate and are checkpointed by group."""


class StripHead(Protocol):
    """Returns the submodules before the pooling, without the last norm or activation where the config says so.

    They keep torchvision's names, by which pretrained weights find them.
    """

    def __call__(
        self, network: nn.Module, *, final_norm: bool, final_relu: bool
    ) -> tuple[nn.Sequential, list[str]]: ...


class Architecture(NamedTuple):
    """How networks of one architecture are edited."""

    strip_head: StripHead
    """Returns the trunk, whose output is pooled, and the edits in words."""
    down_sampling: tuple[str, str, str]
    """The submodules of the trunk that go from stride 16 to 32, 8 to 16 and 4 to 8."""
    stages: Stages
    """The submodules with parameters from the input to the output; those that a trunk lacks are left out."""
    options: Mapping[str, bool] = {}
    """What torchvision is asked for besides the network's kind."""
