"""From a network of timm's form to a trunk whose features are what is pooled.

B batch, C channels, H W image.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainables.models.feature_map import FeatureMap
from trainables.models.head_contract import BROKEN, HeadFinding, examine_head
from trainables.models.map_layout import MapLayout, UnfitNetworkError

ATTENTION = re.compile(r"Attention|Attn")
NUM_NAMED = 3
"""Names of tensors that an edit lists."""


class FittedMap(NamedTuple):
    """A trunk, its number of features, and the edits made to the network."""

    trunk: FeatureMap
    num_features: int
    edits: tuple[str, ...]


def fit_map(network: nn.Module, images_BCHW: Tensor, features: Tensor, layout: MapLayout) -> FittedMap:
    """Return what `forward_features` makes of images as a map, with what stands between it and the linear layer.

    Where the head is a mean over cells, nothing is edited. Where layers stand behind that mean, they are applied to
    every cell before it. Any other pooling gives way to the mean.

    Args:
        network: In eval mode, without its linear layer: `forward_head(..., pre_logits=True)` returns what that gets.
        features: What `forward_features` returns for the images, in that layout.
    """
    with_head, edits = _judge(finding_of(network, features, layout))
    trunk = FeatureMap(network, layout, with_head=with_head)
    features_BFHW, frozen = freeze_unused(trunk, images_BCHW)
    edits += frozen
    if mixes_cells(network, layout):
        edits.append("map: not local, for a cell's features are made of all cells (attention or tokens)")
    return FittedMap(trunk, features_BFHW.shape[1], tuple(edits))


def features_of(network: nn.Module, images_BCHW: Tensor) -> Tensor:
    """Return a network's features; UnfitNetworkError says why it has none."""
    size = images_BCHW.shape[-1]
    try:
        with torch.no_grad():
            features = network.forward_features(images_BCHW)  # type: ignore[operator]
    except BROKEN as error:
        raise UnfitNetworkError(f"forward_features fails at {size} px: {one_line(error)}") from error
    if not isinstance(features, Tensor):
        raise UnfitNetworkError(f"forward_features returns a {type(features).__name__}, not one tensor")
    return features


def one_line(error: Exception) -> str:
    """Return an error's kind and message in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def finding_of(network: nn.Module, features: Tensor, layout: MapLayout) -> HeadFinding | None:
    """Return what is found of the network's head; None where it has none that takes such features."""
    try:
        return examine_head(network, features, layout)
    except BROKEN:
        return None


def _judge(finding: HeadFinding | None) -> tuple[bool, list[str]]:
    """Return whether the head's layers are to be applied to every cell, and the edits."""
    if finding is None:
        return False, ["pooling: the mean over cells, for forward_head takes no such features"]
    if finding.is_mean:
        return False, []
    if finding.is_layers_on_mean:
        layers = ", ".join(finding.layers)
        return True, [f"{layers}: applied to every cell before the pooling, not to their mean after it"]
    return False, [_own_pooling(finding)]


def _own_pooling(finding: HeadFinding) -> str:
    gap = f"which differs from it by {finding.gap_to_mean:.2g} of the largest value"
    if finding.gap_to_mean == float("inf"):
        gap = "whose result has another number of features"
    layers = f", with {', '.join(finding.layers)}" if finding.layers else ""
    return f"pooling: the mean over cells in the place of the network's own{layers}, {gap}"


def mixes_cells(network: nn.Module, layout: MapLayout) -> bool:
    """Return whether a cell's features are made of all cells, so that they need not stand for what lies there."""
    return layout.order == "BNF" or any(ATTENTION.search(type(module).__name__) for module in network.modules())


def freeze_unused(trunk: nn.Module, images_BCHW: Tensor) -> tuple[Tensor, list[str]]:
    """Exclude the parameters from training that the map does not depend on; return the map, and say which they are.

    DistributedDataParallel would wait for their gradients.
    """
    named = {name: parameter for name, parameter in trunk.named_parameters() if parameter.requires_grad}
    with torch.enable_grad():
        features_BFHW: Tensor = trunk(images_BCHW)
        if not (named and features_BFHW.requires_grad):
            unused, reason = [*named], "forward_features passes no gradient on to it"
        else:
            gradients = torch.autograd.grad(features_BFHW.sum(), [*named.values()], allow_unused=True)
            unused = [name for name, gradient in zip(named, gradients, strict=True) if gradient is None]
            reason = "the map does not depend on it"
    for name in unused:
        named[name].requires_grad_(False)
    edits = [f"not trained, for {reason}: {_listing(unused)}"] if unused else []
    return features_BFHW.detach(), edits


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
    return f"{', '.join(name.removeprefix('network.') for name in names[:NUM_NAMED])}{more}"
