"""All that the doctor looks at, in the order in which it is told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.doctor import machine_state, services
from orchestrator.doctor.machine_state import State


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What is looked at besides the machine."""

    storage: Path
    tracking_uri: str | None = None
    data: Path | None = None
    """A data set's folder; None leaves it out."""
    address: str | None = None
    """A Ray cluster's."""
    start_ray: bool = False
    """Whether to start Ray on this machine where no address is given."""


CHECKS: Mapping[str, Callable[[DoctorOptions], Iterator[State]]] = {
    "python": lambda _: machine_state.python(),
    "libraries": lambda _: machine_state.libraries(),
    "operators": lambda _: machine_state.operators(),
    "gpus": lambda _: machine_state.gpus(),
    "cores": lambda _: machine_state.cores(),
    "shared_memory": lambda _: machine_state.shared_memory(),
    "storage": lambda options: machine_state.storage(options.storage),
    "tracking": lambda options: services.tracking(options.storage, options.tracking_uri),
    "data": lambda options: machine_state.data_root(options.data) if options.data else iter(()),
    "ray": lambda options: services.ray(options.address) if options.address or options.start_ray else iter(()),
}


def run_checks(options: DoctorOptions) -> Iterator[State]:
    """Yield the state of everything, as soon as it is known."""
    for look in CHECKS.values():
        yield from look(options)
