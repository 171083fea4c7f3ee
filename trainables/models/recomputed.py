"""Stages that keep no activations for the backward pass, but compute them again (gradient checkpointing)."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainables.models.stages import Stage

Buffers = list[tuple[nn.Module, dict[str, Tensor]]]


def recompute_stages(stages: list[Stage]) -> None:
    """Let each submodule of the stages, in train mode, compute its activations again in the backward pass.

    Gradients are the same, bit for bit: random numbers and statistics are those of the forward pass, and what the
    second pass does to statistics is dropped. A submodule without children has nothing but its input to keep.
    Source: torch.utils.checkpoint, after Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
    """
    for module in recomputed_modules(stages):
        # On the module itself: a module around it would change the names of its weights in checkpoints.
        module.forward = partial(_forward, module, module.forward)


def recomputed_modules(stages: list[Stage]) -> list[nn.Module]:
    """Return the submodules whose activations `recompute_stages` computes again."""
    return [each for stage in stages for module in stage.modules for each in _with_forward(module)]


def _with_forward(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module with children, or in the place of a list of modules, which nobody calls, those in it."""
    if type(module).forward is nn.Module.forward:
        for child in module.children():
            yield from _with_forward(child)
    elif next(module.children(), None) is not None:
        yield module


def _forward(module: nn.Module, forward: Any, *inputs: Any, **named: Any) -> Any:
    if not (module.training and torch.is_grad_enabled()):
        return forward(*inputs, **named)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, module), **named)


def _contexts(module: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return the contexts of the forward pass and of its repetitions, which see the buffers as they are now."""
    return nullcontext(), _InPlaceOfBuffers(module)


class _InPlaceOfBuffers:
    """Gives a module the buffers that it had at first, and then its own again.

    A gradient of a gradient repeats the forward pass more than once, and each pass may change the buffers.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._first = _cloned(_buffers(module))

    def __enter__(self) -> None:
        self._own = _buffers(self._module)
        _set_buffers(_cloned(self._first))

    def __exit__(self, *_: object) -> None:
        _set_buffers(self._own)


def _buffers(module: nn.Module) -> Buffers:
    found = ((part, dict(part.named_buffers(recurse=False))) for part in module.modules())
    return [(part, buffers) for part, buffers in found if buffers]


def _cloned(values: Buffers) -> Buffers:
    return [(part, {name: buffer.clone() for name, buffer in buffers.items()}) for part, buffers in values]


def _set_buffers(values: Buffers) -> None:
    for part, buffers in values:
        for name, buffer in buffers.items():
            setattr(part, name, buffer)
