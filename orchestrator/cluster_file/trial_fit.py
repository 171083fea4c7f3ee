"""Whether a trial fits on the workers that a cluster file allows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.cluster_file.cluster_file import ClusterFile, NodeType, Problem
from trainables.config import ExperimentConfig, Resources


@dataclass(frozen=True, slots=True)
class WorkerSlots:
    """How many processes of a trial fit on a type of worker."""

    worker: NodeType
    max_workers: int
    processes: int
    """On one worker."""

    def __str__(self) -> str:
        resources = " and ".join(f"{value:g} {name}" for name, value in self.worker.resources.items()) or "nothing"
        return f"{self.worker.name} with {resources} (at most {self.max_workers})"


def fits_trial(cluster: ClusterFile, experiment: ExperimentConfig) -> Iterator[Problem]:
    """Check that all processes of one trial fit on the workers, each process on one worker."""
    if cluster.kind == "local":
        yield Problem(
            "provider.type",
            "found local, for which the file lists no CPUs and GPUs; on the running cluster, campaign plan --address "
            "auto says what fits",
        )
        return
    yield from _fits_workers(experiment.resources, cluster)


def _fits_workers(resources: Resources, cluster: ClusterFile) -> Iterator[Problem]:
    demand = {"CPU": resources.cpus} | ({"GPU": resources.gpus} if resources.gpus else {})
    needed, each = max(1, resources.workers), " and ".join(f"{need:g} {name}" for name, need in demand.items())
    slots = [_slots(cluster, worker, demand) for worker in cluster.workers]
    workers = ", ".join(map(str, slots)) or "no workers"
    if not any(slot.processes for slot in slots):
        yield Problem(
            "available_node_types",
            f"a process of the trial takes {each}; found {workers}: take a larger machine and state its resources, or "
            f"lower resources.cpus = {resources.cpus:g} or resources.gpus = {resources.gpus:g}",
        )
    elif (fitting := _fitting(slots, cluster.max_workers)) < needed:
        processes = f"{needed} process{'es' if needed > 1 else ''} of {each}"
        yield Problem(
            "max_workers",
            f"the trial takes {processes}, and {fitting} fit on {workers}: raise max_workers, or lower "
            f"resources.workers = {resources.workers}",
        )


def largest_cluster(cluster: ClusterFile) -> list[dict[str, float]]:
    """Return what each node has when all workers are started: the head, then workers by falling GPUs and CPUs.

    With provider `local` the list is empty: the file does not say what the machines have.
    """
    workers = sorted(cluster.workers, key=lambda worker: [worker.resources.get(name, 0) for name in ("GPU", "CPU")])
    each = [worker.resources for worker in reversed(workers) for _ in range(cluster.max_of(worker))]
    return [node for node in [cluster.head.resources, *each[: cluster.max_workers]] if node]


def _slots(cluster: ClusterFile, worker: NodeType, demand: Mapping[str, float]) -> WorkerSlots:
    processes = min(int(worker.resources.get(name, 0) / need + 1e-9) for name, need in demand.items())
    return WorkerSlots(worker, cluster.max_of(worker), processes)


def _fitting(slots: list[WorkerSlots], max_workers: int) -> int:
    """Return how many processes fit on `max_workers` workers."""
    fitting, left = 0, max_workers
    for slot in sorted(slots, key=lambda slot: -slot.processes):
        number = min(left, slot.max_workers)
        fitting, left = fitting + number * slot.processes, left - number
    return fitting
