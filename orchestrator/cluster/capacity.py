"""How many trials fit on a cluster at a time, and whether one fits at all.

What fits is counted node by node: a process lies on one node, the workers of a trial may lie on several.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.cluster_file.driver_resource import DRIVER, DRIVER_SHARE
from trainables.config import ConfigError, Resources

TINY = 1e-9
"""What sums of resources may be off by."""

Node = Mapping[str, float]
"""What a node has, by resource."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one trial takes, and how many of them the cluster holds."""

    demand: Mapping[str, float]
    nodes: Sequence[Node]
    concurrent: int
    fitting: int
    """How many fit on the nodes that are there; less than `concurrent` where the cluster is to grow."""

    def describe(self) -> str:
        """Return a line for people, such as `2 trials at a time: each takes 1 CPU of 2`."""
        total = total_of(self.nodes)
        shares = ", ".join(f"{need:g} {name} of {total.get(name, 0):g}" for name, need in self.demand.items())
        on = f" on {len(self.nodes)} nodes" if len(self.nodes) > 1 else ""
        room = f"; the nodes there now hold {self.fitting}" if self.fitting < self.concurrent else ""
        return f"{self.concurrent} trial{'s' if self.concurrent > 1 else ''} at a time: each takes {shares}{on}{room}"


def capacity(resources: Resources, nodes: Sequence[Node], *, limit: int | None = None, grows: bool = False) -> Capacity:
    """Return how many trials of `resources` run at a time on `nodes`.

    Args:
        resources: What a trial asks for.
        nodes: What each node of the cluster has.
        limit: The most trials at a time.
        grows: Whether nodes may come that are not there yet. A limit then says how far to grow: what waits for room is
            what makes a cluster grow. Drivers that take CPUs must not wait: together they would keep workers out.

    Raises:
        ConfigError: Not one fits, and nobody says how far the cluster is to grow; the message names what is short.
    """
    demand = trial_demand(resources, nodes)
    fitting = _fitting(resources, nodes)
    can_wait = not resources.workers or DRIVER in driver_demand(nodes)
    if grows and limit and can_wait:
        return Capacity(demand, nodes, concurrent=limit, fitting=min(fitting, limit))
    if not fitting:
        raise ConfigError(_what_is_short(resources, demand, nodes, grows=grows))
    concurrent = min(fitting, limit or fitting)
    return Capacity(demand, nodes, concurrent=concurrent, fitting=concurrent)


def trial_demand(resources: Resources, nodes: Sequence[Node]) -> dict[str, float]:
    """Return what all processes of a trial take together."""
    demand = {name: max(1, resources.workers) * need for name, need in process_demand(resources).items()}
    if resources.workers:
        ((name, share),) = driver_demand(nodes).items()
        demand[name] = demand.get(name, 0) + share
    return demand


def process_demand(resources: Resources) -> dict[str, float]:
    """Return what one worker takes, or the process of a trial without workers."""
    return {"CPU": resources.cpus} | ({"GPU": resources.gpus} if resources.gpus else {})


def driver_demand(nodes: Sequence[Node]) -> dict[str, float]:
    """Return what a trial's driver takes: the driver resource where the cluster has one, else a little CPU."""
    return {DRIVER if total_of(nodes).get(DRIVER) else "CPU": DRIVER_SHARE}


def total_of(nodes: Sequence[Node]) -> dict[str, float]:
    """Return what all nodes have together."""
    names = {name: None for node in nodes for name in node}
    return {name: sum(node.get(name, 0) for node in nodes) for name in names}


def _fitting(resources: Resources, nodes: Sequence[Node]) -> int:
    """Return how many trials fit on the nodes at a time."""
    need = process_demand(resources)
    slots = [min(_times(node.get(name, 0), share) for name, share in need.items()) for node in nodes]
    if not resources.workers:
        return sum(slots)
    most = sum(slots) // resources.workers
    if DRIVER in driver_demand(nodes):
        return min(most, sum(_times(node.get(DRIVER, 0), DRIVER_SHARE) for node in nodes))
    left = [node.get("CPU", 0) - taken * resources.cpus for node, taken in zip(nodes, slots, strict=True)]
    beside = sum(_times(cpus, DRIVER_SHARE) for cpus in left)
    while most and sum(slots) - _given_up(most - beside, resources.cpus) < most * resources.workers:
        most -= 1
    return most


def _given_up(drivers: int, cpus: float) -> int:
    """Return how many workers of `cpus` cores make way for `drivers`."""
    if drivers <= 0:
        return 0
    in_one = _times(cpus, DRIVER_SHARE)
    return -(-drivers // in_one) if in_one else drivers * math.ceil(DRIVER_SHARE / cpus)


def _times(available: float, need: float) -> int:
    return int(available / need + TINY)


def _what_is_short(resources: Resources, demand: Mapping[str, float], nodes: Sequence[Node], *, grows: bool) -> str:
    total = total_of(nodes)
    short = [
        f"{need:g} {name} where the cluster has {total.get(name, 0):g}"
        for name, need in demand.items()
        if need > total.get(name, 0) + TINY
    ]
    each = " and ".join(f"{need:g} {name}" for name, need in process_demand(resources).items())
    lies = f"{resources.workers} workers of {each}, each" if resources.workers else f"{each}, all"
    what = " and ".join(short) or f"{lies} on one node, and the nodes are {_shapes(nodes)}"
    remedy = (
        f"lower resources.workers = {resources.workers}, resources.cpus = {resources.cpus:g} or "
        f"resources.gpus = {resources.gpus:g}, or use a larger cluster"
    )
    growth = (
        "; where nodes are added on demand, --concurrent says for how many trials, if one node has the resource "
        f"`{DRIVER}` or trials have no workers"
    )
    return f"a trial needs {what}: {remedy}{growth if grows else ''}"


def _shapes(nodes: Sequence[Node]) -> str:
    """Return the nodes for people, such as `2 of 4 CPU and 1 GPU, 1 of 0 CPU`."""
    shapes = Counter(
        f"{node.get('CPU', 0):g} CPU" + (f" and {node['GPU']:g} GPU" if node.get("GPU") else "") for node in nodes
    )
    return ", ".join(f"{count} of {shape}" for shape, count in sorted(shapes.items()))
