"""What differs from one family of torchvision's networks to the next."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import nn


class StripHead(Protocol):
    """Takes from a network what stands before the pooling, without its last norm or activation where that is wanted.

    The parts keep torchvision's names, by which pretrained weights find them.
    """

    def __call__(
        self, network: nn.Module, *, final_norm: bool, final_relu: bool
    ) -> tuple[nn.Sequential, list[str]]: ...


class Architecture(NamedTuple):
    """How networks of a family are taken apart."""

    strip_head: StripHead
    """Returns the trunk, whose output is pooled, and what was edited in words."""
    down_sampling: tuple[str, str, str]
    """The parts of the trunk that go from stride 16 to 32, 8 to 16 and 4 to 8."""
    options: Mapping[str, bool] = {}
    """What torchvision is asked for besides the network's kind."""
