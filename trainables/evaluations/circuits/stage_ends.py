"""Where the stages of a network end: channels on which all that follows depends, and which can be changed there.

B batch, C channels, N nodes (the channels of all ends), H W image.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from trainables.models import Classifier, Stage, stages_of

Change = Callable[[int, Tensor], Tensor]
"""From the number of an end and its channels, B,C and then positions, to what the network goes on with."""
WHOLE_TRUNK = "features"
"""Name of the only end of a network without stages."""
_AROUND_NETWORKS = ("features.trunk.", "trunk.", "network.")
"""How names of submodules begin in classifiers of embeddings, and then in networks of timm and of users."""
_TOLERANCE = 1e-4
"""Of the largest logit: by how much logits may differ that should be the same."""


@dataclass(frozen=True, eq=False)
class StageEnd:
    """The channels that leave a stage."""

    name: str
    module: nn.Module
    """The first module of the next stage, whose input they are, or the trunk, whose output they are."""
    axis: int
    num_channels: int
    is_output: bool = False

    def hooked(self, change: Callable[[Tensor], Tensor]) -> RemovableHandle:
        """Let the channels, as B,C,..., pass through `change` until the handle is removed."""

        def changed(tensor: Tensor) -> Tensor:
            return change(tensor.movedim(self.axis, 1)).movedim(1, self.axis)

        if self.is_output:
            return self.module.register_forward_hook(lambda _, __, output: changed(output))
        return self.module.register_forward_pre_hook(lambda _, inputs: (changed(inputs[0]), *inputs[1:]))


@dataclass(frozen=True, eq=False)
class StagedNetwork:
    """A network in eval mode and the ends of its stages, from the input to the output."""

    model: Classifier
    ends: tuple[StageEnd, ...]
    left_out: tuple[str, ...] = ()
    """Stages whose end is no single tensor that decides the logits; the next stage's end stands for them too."""

    @classmethod
    def of(cls, model: Classifier, images_BCHW: Tensor) -> Self:
        """Find the ends by what passes through the network for two or more different images, on its device.

        An inner end counts where the network, given the channels of other images there, has the logits of these.
        """
        with torch.no_grad():
            logits_BK = model(images_BCHW).logits
            inner = _inner_ends(model, images_BCHW)
            decisive = [end for end in inner if _decides(cls(model, (end,)), images_BCHW, logits_BK)]
        ends = (*decisive, _output_of(model))
        names = {end.name for end in ends}
        return cls(model, ends, tuple(name for name in map(_name, model.stages) if name not in names))

    @property
    def num_nodes(self) -> int:
        return sum(end.num_channels for end in self.ends)

    @property
    def places(self) -> list[tuple[int, int]]:
        """The number of the end and the channel of each node."""
        return [(number, channel) for number, end in enumerate(self.ends) for channel in range(end.num_channels)]

    def by_end(self, values_N: Tensor) -> tuple[Tensor, ...]:
        """Split the last dimension, of nodes, by ends."""
        return torch.split(values_N, [end.num_channels for end in self.ends], dim=-1)

    @contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        """Let the channels of every end pass through `change` for a while."""
        with ExitStack() as hooks:
            for number, end in enumerate(self.ends):
                hooks.enter_context(end.hooked(partial(change, number)))
            yield

    def activations(self, images_BCHW: Tensor) -> list[Tensor]:
        """Return the channels of every end, each as B,C,..., without gradients."""
        found: list[Tensor] = []

        def keep(_: int, channels: Tensor) -> Tensor:
            found.append(channels.clone())  # What follows may work in place.
            return channels

        with torch.no_grad(), self.changed(keep):
            self.model(images_BCHW)
        return found


def _name(names: Sequence[str]) -> str:
    for prefix in _AROUND_NETWORKS:
        names = [name.removeprefix(prefix) for name in names]
    return ", ".join(names)


def _output_of(model: Classifier) -> StageEnd:
    name = _name(model.stages[-1]) if model.stages else WHOLE_TRUNK
    return StageEnd(name, model.trunk, axis=1, num_channels=model.head.in_features, is_output=True)


def _inner_ends(model: Classifier, images_BCHW: Tensor) -> Iterator[StageEnd]:
    """Yield the end of each stage but the last where the next one begins with a module that gets one tensor, once."""
    stages = stages_of(model)
    calls_of = _calls(model, stages, images_BCHW)
    for (names, _), (_, calls) in pairwise(zip(model.stages, calls_of, strict=True)):
        if not calls:
            continue
        first, inputs = calls[0]
        is_called_once = sum(module is first for module, _ in calls) == 1
        if is_called_once and inputs and isinstance(inputs[0], Tensor) and inputs[0].ndim in (3, 4):
            axis = _channel_axis(inputs[0].shape)
            yield StageEnd(_name(names), first, axis, inputs[0].shape[axis])


def _calls(
    model: Classifier, stages: Sequence[Stage], images_BCHW: Tensor
) -> list[list[tuple[nn.Module, tuple[Any, ...]]]]:
    """Return for each stage which of its modules a forward pass calls, in order, with their inputs."""
    calls: list[list[tuple[nn.Module, tuple[Any, ...]]]] = [[] for _ in stages]
    with ExitStack() as hooks:
        for found, stage in zip(calls, stages, strict=True):
            for module in {part for named in stage.modules for part in named.modules()}:
                hooks.enter_context(
                    module.register_forward_pre_hook(lambda part, inputs, found=found: found.append((part, inputs)))
                )
        model(images_BCHW)
    return calls


def _channel_axis(shape: Sequence[int]) -> int:
    """Return the dimension of the channels: the last of tokens and of a square map before them, else the second."""
    is_last = len(shape) == 3 or (shape[1] == shape[2] != shape[3])
    return len(shape) - 1 if is_last else 1


def _decides(network: StagedNetwork, images_BCHW: Tensor, logits_BK: Tensor) -> bool:
    """Return whether the network with images, given the channels of the others at its end, has the others' logits."""
    (channels,) = network.activations(images_BCHW)
    with network.changed(lambda *_: channels.flip(0)):
        found_BK = network.model(images_BCHW).logits
    return bool((found_BK - logits_BK.flip(0)).abs().max() <= _TOLERANCE * logits_BK.abs().max())
