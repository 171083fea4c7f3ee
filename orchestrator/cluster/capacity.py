"""How many trials fit on a cluster at a time, and whether one fits at all.

Trials are counted node by node: a process runs on one node, the workers of a trial may run on several.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.cluster_file.driver_resource import DRIVER, DRIVER_SHARE
from orchestrator.files.text import plural
from trainables.config import ConfigError, Resources

TOLERANCE = 1e-9
"""Rounding error of sums of resources."""

Node = Mapping[str, float]
"""The resources of a node, by name."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one trial takes, and how many trials run at a time."""

    demand: Mapping[str, float]
    nodes: Sequence[Node]
    concurrent: int
    fitting: int
    """How many fit on the present nodes; less than `concurrent` where the cluster can grow."""

    def describe(self) -> str:
        """Return one line, such as `2 trials at a time: each takes 1 CPU of 2`."""
        total = total_of(self.nodes)
        shares = ", ".join(f"{need:g} {name} of {total.get(name, 0):g}" for name, need in self.demand.items())
        on = f" on {plural(len(self.nodes), 'node')}" if len(self.nodes) > 1 else ""
        now = f"; on the present nodes: {self.fitting}" if self.fitting < self.concurrent else ""
        return f"{plural(self.concurrent, 'trial')} at a time: each takes {shares}{on}{now}"


def capacity(resources: Resources, nodes: Sequence[Node], *, limit: int | None = None, grows: bool = False) -> Capacity:
    """Return how many trials of `resources` run at a time on `nodes`.

    Args:
        resources: The resources of a trial.
        nodes: The resources of each node of the cluster.
        limit: Maximum number of trials at a time.
        grows: Whether the cluster can add nodes. It adds them for waiting trials, so `limit` trials are started, even
            if fewer fit now. Drivers that take CPUs must not wait: together they would leave no CPUs for workers.

    Raises:
        ConfigError: No trial fits, and there is no `limit` for which the cluster could grow.
    """
    demand = trial_demand(resources, nodes)
    fitting = _fitting(resources, nodes)
    can_wait = not resources.workers or DRIVER in driver_demand(nodes)
    if grows and limit and can_wait:
        return Capacity(demand, nodes, concurrent=limit, fitting=min(fitting, limit))
    if not fitting:
        raise ConfigError(_shortage(resources, demand, nodes, grows=grows))
    concurrent = min(fitting, limit or fitting)
    return Capacity(demand, nodes, concurrent=concurrent, fitting=concurrent)


def trial_demand(resources: Resources, nodes: Sequence[Node]) -> dict[str, float]:
    """Return the resources of all processes of a trial."""
    demand = {name: max(1, resources.workers) * need for name, need in process_demand(resources).items()}
    if resources.workers:
        ((name, share),) = driver_demand(nodes).items()
        demand[name] = demand.get(name, 0) + share
    return demand


def process_demand(resources: Resources) -> dict[str, float]:
    """Return the resources of one worker, or of the one process of a trial without workers."""
    return {"CPU": resources.cpus} | ({"GPU": resources.gpus} if resources.gpus else {})


def driver_demand(nodes: Sequence[Node]) -> dict[str, float]:
    """Return the resources of a trial's driver: the driver resource where the cluster has it, else a little CPU."""
    return {DRIVER if total_of(nodes).get(DRIVER) else "CPU": DRIVER_SHARE}


def total_of(nodes: Sequence[Node]) -> dict[str, float]:
    """Return the resources of all nodes together."""
    names = {name: None for node in nodes for name in node}
    return {name: sum(node.get(name, 0) for node in nodes) for name in names}


def _fitting(resources: Resources, nodes: Sequence[Node]) -> int:
    """Return how many trials fit on the nodes at a time."""
    demand = process_demand(resources)
    slots = [min(_times(node.get(name, 0), need) for name, need in demand.items()) for node in nodes]
    if not resources.workers:
        return sum(slots)
    trials = sum(slots) // resources.workers
    if DRIVER in driver_demand(nodes):
        return min(trials, sum(_times(node.get(DRIVER, 0), DRIVER_SHARE) for node in nodes))
    unused_cpus = [node.get("CPU", 0) - workers * resources.cpus for node, workers in zip(nodes, slots, strict=True)]
    free_drivers = sum(_times(cpus, DRIVER_SHARE) for cpus in unused_cpus)
    while trials and sum(slots) - _workers_replaced(trials - free_drivers, resources.cpus) < trials * resources.workers:
        trials -= 1
    return trials


def _workers_replaced(drivers: int, cpus: float) -> int:
    """Return how many workers of `cpus` cores do not run because `drivers` take their cores."""
    if drivers <= 0:
        return 0
    drivers_per_worker = _times(cpus, DRIVER_SHARE)
    return -(-drivers // drivers_per_worker) if drivers_per_worker else drivers * math.ceil(DRIVER_SHARE / cpus)


def _times(available: float, need: float) -> int:
    return int(available / need + TOLERANCE)


def _shortage(resources: Resources, demand: Mapping[str, float], nodes: Sequence[Node], *, grows: bool) -> str:
    total = total_of(nodes)
    short = [
        f"{need:g} {name} where the cluster has {total.get(name, 0):g}"
        for name, need in demand.items()
        if need > total.get(name, 0) + TOLERANCE
    ]
    each = " and ".join(f"{need:g} {name}" for name, need in process_demand(resources).items())
    on_node = f"{plural(resources.workers, 'worker')} of {each}, each" if resources.workers else f"{each}, all"
    what = " and ".join(short) or f"{on_node} on one node, and the nodes are {_shapes(nodes)}"
    remedy = (
        f"lower resources.workers = {resources.workers}, resources.cpus = {resources.cpus:g} or "
        f"resources.gpus = {resources.gpus:g}, or use a larger cluster"
    )
    growth = (
        "; a cluster that adds nodes does so for --concurrent trials; trials with workers also need a node with the "
        f"resource `{DRIVER}`"
    )
    return f"a trial needs {what}: {remedy}{growth if grows else ''}"


def _shapes(nodes: Sequence[Node]) -> str:
    """Return the nodes by size, such as `2 of 4 CPU and 1 GPU, 1 of 0 CPU`."""
    shapes = Counter(
        f"{node.get('CPU', 0):g} CPU" + (f" and {node['GPU']:g} GPU" if node.get("GPU") else "") for node in nodes
    )
    return ", ".join(f"{count} of {shape}" for shape, count in sorted(shapes.items()))
