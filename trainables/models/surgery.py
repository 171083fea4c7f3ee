"""Edits to the trunk of a fresh network, each of which returns what it did in words.

A trunk is a Sequential whose submodules have torchvision's names.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping

from torch import nn

from trainables.models.norms import AcrossLastDimension, make_norm

FULL_STRIDE = 32
NORM_KINDS: dict[type[nn.Module], str] = {nn.BatchNorm2d: "batch", nn.LayerNorm: "layer"}
"""The norms of torchvision's networks; a map's layer norm is a subclass that turns the map by itself."""
ACTIVATION_KINDS: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.SiLU: "silu", nn.GELU: "gelu"}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    # ReLU that keeps its input, not its output, for the backward pass: EfficientNetV2 adds to the output in place.
    "relu": lambda: nn.Threshold(0.0, 0.0),
    "elu": nn.ELU,
    "gelu": nn.GELU,
}


def without_children(network: nn.Module, left_out: Collection[str]) -> nn.Sequential:
    """Return a trunk of the network's own submodules, without those named."""
    kept = ((name, child) for name, child in network.named_children() if name not in left_out)
    return nn.Sequential(OrderedDict(kept))


def replace(trunk: nn.Module, name: str, submodule: nn.Module) -> None:
    """Put `submodule` in the place of that dotted name."""
    parent, _, child = name.rpartition(".")
    setattr(trunk.get_submodule(parent), child, submodule)


def keep_resolution(trunk: nn.Sequential, cam_stride: int, down_sampling: tuple[str, ...]) -> list[str]:
    """Give the last down-sampling submodules stride 1, until a cell of the map spans `cam_stride` pixels.

    All convolutions of stride 2 in it are edited: a residual block has one in its main path and one in its shortcut's
    projection. A 2x2 convolution gets a row of zeros below and a column at the right, which keep the size
    of the map. A pooling is left out.
    """
    num_edited = (FULL_STRIDE // cam_stride).bit_length() - 1
    return [_set_stride_one(trunk, name) for name in down_sampling[:num_edited]]


def _set_stride_one(trunk: nn.Sequential, name: str) -> str:
    stage = trunk.get_submodule(name)
    if isinstance(getattr(stage, "pool", None), nn.AvgPool2d):
        replace(stage, "pool", nn.Identity())
        return f"{name}: no pooling"
    convs = [conv for conv in stage.modules() if isinstance(conv, nn.Conv2d) and conv.stride == (2, 2)]
    assert convs, f"{name} has no convolution of stride 2"
    for conv in convs:
        conv.stride = (1, 1)
    if convs[0].kernel_size != (2, 2):
        return f"{name}: stride 2 -> 1"
    norm, last = stage.children()
    replace(trunk, name, nn.Sequential(OrderedDict([("0", norm), ("pad", nn.ZeroPad2d((0, 1, 0, 1))), ("1", last)])))
    return f"{name}: stride 2 -> 1, padded below and at the right"


def replace_norms(trunk: nn.Sequential, kind: str) -> list[str]:
    """Make every norm one of `kind`, for as many channels; `own`, or the kind that they have, leaves them."""
    found = _of_kinds(trunk, NORM_KINDS)
    own = _kind_of(found.values(), NORM_KINDS)
    if kind in {"own", own}:
        return []
    for name, norm in found.items():
        replace(trunk, name, _norm_like(norm, kind))
    return [f"norms: {own} -> {kind}"]


def _norm_like(norm: nn.Module, kind: str) -> nn.Module:
    """Return a norm of `kind` with the scale and shift from which the other one starts."""
    if isinstance(norm, nn.BatchNorm2d):
        other = make_norm(kind, norm.num_features, eps=norm.eps, momentum=norm.momentum or 0.1)
    else:
        assert isinstance(norm, nn.LayerNorm)
        other = make_norm(kind, norm.normalized_shape[0], eps=norm.eps)
    if not norm.weight.is_meta:
        other.load_state_dict({"weight": norm.weight, "bias": norm.bias}, strict=False)
    return AcrossLastDimension(other) if type(norm) is nn.LayerNorm else other


def replace_activations(trunk: nn.Sequential, kind: str) -> list[str]:
    """Make every activation one of `kind`; `own`, or the kind that they have, leaves them. Gates are none."""
    found = _of_kinds(trunk, ACTIVATION_KINDS)
    own = _kind_of(found.values(), ACTIVATION_KINDS)
    if kind in {"own", own}:
        return []
    for name in found:
        replace(trunk, name, ACTIVATIONS[kind]())
    return [f"activations: {own} -> {kind}"]


def _of_kinds(trunk: nn.Module, kinds: Mapping[type[nn.Module], str]) -> dict[str, nn.Module]:
    bases: tuple[type[nn.Module], ...] = tuple(kinds)
    return {name: module for name, module in trunk.named_modules() if isinstance(module, bases)}


def _kind_of(modules: Collection[nn.Module], kinds: Mapping[type[nn.Module], str]) -> str:
    found = {kind for module in modules for base, kind in kinds.items() if isinstance(module, base)}
    assert len(found) == 1, f"expected modules of one kind, found {found}"
    return found.pop()
