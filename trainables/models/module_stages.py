"""The parts of a network of timm, or of the user's, from the input to the output."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from torch import nn

from trainables.models.architecture import Stages


def stages_of_timm(network: Any) -> Stages:
    """Return the groups that timm's own `group_matcher` makes, or a stage for each child where there is none."""
    from timm.models import group_parameters

    if not hasattr(network, "group_matcher"):
        return stages_by_children(network)
    groups: dict[int, list[str]] = group_parameters(network, network.group_matcher(coarse=True))
    return _within(network, (groups[number] for number in sorted(groups)))


def stages_by_children(network: nn.Module) -> Stages:
    """Return a stage for each child with parameters, in the order in which they were made."""
    names = [name for name, _ in network.named_parameters()]
    children = dict.fromkeys(name.partition(".")[0] for name in names)
    return _within(network, ([name for name in names if name.partition(".")[0] == child] for child in children))


def _within(network: nn.Module, groups: Iterable[Collection[str]]) -> Stages:
    """Return each group's names within a `FeatureMap`, whole submodules by theirs."""
    return tuple(tuple(f"network.{name}" for name in _covering(network, set(group))) for group in groups)


def _covering(module: nn.Module, names: Collection[str], prefix: str = "") -> Iterator[str]:
    """Yield the submodules all of whose parameters are among `names`, and the other parameters that are."""
    for name, _ in module.named_parameters(recurse=False):
        if prefix + name in names:
            yield prefix + name
    for name, child in module.named_children():
        own = {f"{prefix}{name}.{parameter}" for parameter, _ in child.named_parameters()}
        if own and own <= set(names):
            yield prefix + name
        elif own & set(names):
            yield from _covering(child, names, f"{prefix}{name}.")
