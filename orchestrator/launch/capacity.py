"""How many trials fit on a cluster at a time, and whether one fits at all."""

from collections.abc import Mapping
from dataclasses import dataclass

from trainables.config import ConfigError, Resources

DRIVER = "driver"
"""Custom resource of the nodes that may host a trial's driver; a local Ray is started with it."""
DRIVER_SHARE = 0.01
"""What a trial that only drives Ray Train workers takes, so that drivers never crowd out workers."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one trial takes, and how many the cluster holds."""

    demand: Mapping[str, float]
    available: Mapping[str, float]
    concurrent: int

    def describe(self) -> str:
        """Return a line for people, such as `2 trials at a time: each takes 1 CPU of 2`."""
        shares = ", ".join(f"{need:g} {name} of {self.available.get(name, 0):g}" for name, need in self.demand.items())
        return f"{self.concurrent} trial{'s' if self.concurrent > 1 else ''} at a time: each takes {shares}"


def capacity(resources: Resources, available: Mapping[str, float], *, limit: int | None = None) -> Capacity:
    """Return how many trials of `resources` run at a time on a cluster that has `available`.

    Raises:
        ConfigError: Not one fits; the message names what is short.
    """
    demand = trial_demand(resources, available)
    short = [
        f"{need:g} {name} where the cluster has {available.get(name, 0):g}"
        for name, need in demand.items()
        if need > available.get(name, 0) + 1e-9
    ]
    if short:
        raise ConfigError(
            f"a trial needs {' and '.join(short)}: lower resources.workers = {resources.workers}, "
            f"resources.cpus = {resources.cpus:g} or resources.gpus = {resources.gpus:g}, or use a larger cluster"
        )
    concurrent = min(int(available[name] / need + 1e-9) for name, need in demand.items())
    return Capacity(demand, available, min(concurrent, limit or concurrent))


def trial_demand(resources: Resources, available: Mapping[str, float]) -> dict[str, float]:
    """Return what all processes of a trial take together."""
    workers = max(1, resources.workers)
    demand = {"CPU": workers * resources.cpus}
    if resources.gpus:
        demand["GPU"] = workers * resources.gpus
    if resources.workers:
        name, share = next(iter(driver_demand(available).items()))
        demand[name] = demand.get(name, 0) + share
    return demand


def driver_demand(available: Mapping[str, float]) -> dict[str, float]:
    """Return what a trial's driver takes: the driver resource where the cluster has one, else a little CPU."""
    return {DRIVER if available.get(DRIVER) else "CPU": DRIVER_SHARE}
