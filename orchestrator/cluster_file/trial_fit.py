"""Whether a trial fits on the machines that a cluster file allows, and what those have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.cluster_file.cluster_file import ClusterFile, Node, Problem
from orchestrator.cluster_file.instance_types import MACHINES, NO_BF16
from orchestrator.cluster_file.machines import TYPE_FIELDS
from trainables.config import ExperimentConfig


@dataclass(frozen=True, slots=True)
class Room:
    """What a type of worker offers, and how many processes of a trial one machine holds."""

    node: Node
    offers: Mapping[str, float]
    most: int
    processes: int


def fits_trial(cluster: ClusterFile, experiment: ExperimentConfig) -> Iterator[Problem]:
    """Check that the largest cluster holds all processes of one trial, each on one machine, and computes as it asks."""
    resources = experiment.resources
    need = {"CPU": resources.cpus} | ({"GPU": resources.gpus} if resources.gpus else {})
    rooms = [_room(cluster, worker, need) for worker in cluster.workers]
    wanted, each = max(1, resources.workers), " and ".join(f"{share:g} {name}" for name, share in need.items())
    unsaid = [room.node for room in rooms if not need.keys() <= room.offers.keys()]
    if cluster.kind == "local" and unsaid:
        yield (
            "worker_start_ray_commands",
            "found no --num-cpus or --num-gpus, so that the file does not say what a worker has: add them to ray start",
        )
    elif not any(room.processes for room in rooms):
        yield (
            "available_node_types",
            f"a process of the trial takes {each}; found {_offered(rooms)}: take a larger machine and state its "
            f"resources, or lower resources.cpus = {resources.cpus:g} or resources.gpus = {resources.gpus:g}",
        )
    elif (held := _held(rooms, cluster.most_workers())) < wanted:
        yield (
            "max_workers",
            f"the trial takes {wanted} processes of {each}, and {held} fit on {_offered(rooms)}: raise max_workers, "
            f"or lower resources.workers = {resources.workers}",
        )
    elif experiment.training.precision == "bf16" and resources.gpus:
        yield from _computes_bf16(cluster, rooms)


def largest(cluster: ClusterFile) -> list[dict[str, float]]:
    """Return what each node has in the largest cluster: the head, and the largest workers, by GPUs and then by CPUs.

    Machines of one's own, of which the file says nothing, are left out.
    """
    workers = sorted(cluster.workers, key=lambda worker: [worker.resources.get(name, 0) for name in ("GPU", "CPU")])
    each = [worker.resources for worker in reversed(workers) for _ in range(cluster.most(worker))]
    return [node for node in [cluster.head.resources, *each[: cluster.most_workers()]] if node]


def _room(cluster: ClusterFile, worker: Node, need: Mapping[str, float]) -> Room:
    offers = worker.resources if cluster.kind != "local" else _started_with(worker)
    processes = min(int(offers.get(name, 0) / share + 1e-9) for name, share in need.items())
    return Room(worker, offers, cluster.most(worker), processes)


def _started_with(worker: Node) -> dict[str, float]:
    """Return what `ray start` says that a machine of one's own has."""
    flags = {"CPU": "--num-cpus", "GPU": "--num-gpus"}
    said = {name: worker.start.option(flag) for name, flag in flags.items()} if worker.start else {}
    return {name: float(value) for name, value in said.items() if value and value.isdecimal()}


def _held(rooms: list[Room], left: int) -> int:
    """Return how many processes fit on `left` workers at most."""
    held = 0
    for room in sorted(rooms, key=lambda room: -room.processes):
        number = min(left, room.most)
        held, left = held + number * room.processes, left - number
    return held


def _computes_bf16(cluster: ClusterFile, rooms: list[Room]) -> Iterator[Problem]:
    for room in rooms:
        name = str(room.node.config.get(TYPE_FIELDS.get(cluster.kind, ""), ""))
        machine = MACHINES.get(name)
        if room.processes and machine and machine.gpu in NO_BF16:
            yield (
                f"{room.node.field}.node_config",
                f"found {name} with {machine.gpu}, which does not compute in bfloat16: take a machine with an A10G, "
                "L4 or newer, or set training.precision = fp32",
            )


def _offered(rooms: list[Room]) -> str:
    return ", ".join(
        f"{room.node.name} with {' and '.join(f'{value:g} {name}' for name, value in room.offers.items()) or 'nothing'}"
        f" (at most {room.most})"
        for room in rooms
    )
