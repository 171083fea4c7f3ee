"""Whether a network's head is a mean over cells, found by numbers and not by names.

B batch, F features.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from trainables.models.map_layout import MapLayout

TOLERANCE = 1e-9
"""Of the largest value, in float64."""
BROKEN = (RuntimeError, ValueError, TypeError, AssertionError, AttributeError, LookupError, NotImplementedError)
"""What a network raises for images, or features, that it was not made for."""
Names = tuple[str, ...]


class HeadFinding(NamedTuple):
    """How what a head makes of features, before its linear layer, differs from means, relative to the largest value."""

    gap_to_mean: float
    """From the mean of the features over all cells."""
    gap_to_layers_on_mean: float
    """From what its layers make of that mean: 0 where they stand behind a mean over cells."""
    layers: Names
    """The submodules with weights that stand before its linear layer."""

    @property
    def is_mean(self) -> bool:
        return self.gap_to_mean <= TOLERANCE

    @property
    def is_layers_on_mean(self) -> bool:
        return self.gap_to_layers_on_mean <= TOLERANCE


class Head(nn.Module):
    """What a network of timm's form does between its features and its linear layer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        pooled_BF: Tensor = self.network.forward_head(features, pre_logits=True)  # type: ignore[operator]
        return pooled_BF


@torch.no_grad()
def examine_head(network: nn.Module, features: Tensor, layout: MapLayout) -> HeadFinding:
    """Compare, in float64, what a network in eval mode makes of random features with their mean over cells.

    Its layers get random weights, so that none is an identity by the way in which it was initialised.

    Args:
        features: What its `forward_features` returns, of which only shape and device count.
    """
    head = Head(network)
    used = _tensors_used_by(head, features)
    generator = torch.Generator().manual_seed(0)
    weights = {name: _random_like(name, tensor, generator) for name, tensor in used.items()}
    random = torch.randn(features.shape, generator=generator, dtype=torch.float64)
    mean_BF = layout.to_map(random).mean((2, 3))

    def apply(values: Tensor) -> Tensor:
        result: Tensor = functional_call(head, weights, (values,))
        return result

    pooled_BF = apply(random)
    layers = tuple(dict.fromkeys(name.removeprefix("network.").rpartition(".")[0] for name in used))
    return HeadFinding(
        relative_gap(pooled_BF, mean_BF),
        relative_gap(pooled_BF, _or_none(apply, layout.one_cell_each(mean_BF))),
        layers,
    )


def relative_gap(found: Tensor, expected: Tensor | None) -> float:
    """Return the largest difference, relative to the largest value; infinite where the shapes differ."""
    if expected is None or found.shape != expected.shape:
        return float("inf")
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(torch.finfo(expected.dtype).tiny))


def _or_none(function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor | None:
    """Return the function's result; None where it does not take a map of one cell, as an attention of a fixed grid."""
    try:
        return function(values)
    except BROKEN:
        return None


class _Recorder(TorchFunctionMode):
    """Notes the tensors that functions of torch are given within it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()

    def __torch_function__(
        self, function: Callable[..., Any], _types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.seen |= {id(value) for value in (*args, *(kwargs or {}).values()) if isinstance(value, Tensor)}
        return function(*args, **(kwargs or {}))


def _tensors_used_by(module: nn.Module, values: Tensor) -> dict[str, Tensor]:
    """Return the parameters and buffers that a forward pass of `values` reads."""
    with _Recorder() as recorder:
        module(values)
    own = (*module.named_parameters(), *module.named_buffers())
    return {name: tensor for name, tensor in own if id(tensor) in recorder.seen}


def _random_like(name: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor
    values = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
    return values.abs() if name.endswith("running_var") else values
