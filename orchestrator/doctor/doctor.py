"""All that the doctor looks at, in the order in which it is told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.doctor import machine_state, services
from orchestrator.doctor.machine_state import State


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at besides the machine."""

    storage: Path
    tracking_uri: str | None = None
    data: Path | None = None
    """A data set's folder; None leaves it out."""
    address: str | None = None
    """A Ray cluster's."""
    start_ray: bool = False
    """Whether to start Ray on this machine where no address is given."""


LOOKS: Mapping[str, Callable[[Patient], Iterator[State]]] = {
    "python": lambda _: machine_state.python(),
    "libraries": lambda _: machine_state.libraries(),
    "operators": lambda _: machine_state.operators(),
    "gpus": lambda _: machine_state.gpus(),
    "cores": lambda _: machine_state.cores(),
    "shared_memory": lambda _: machine_state.shared_memory(),
    "storage": lambda patient: machine_state.storage(patient.storage),
    "tracking": lambda patient: services.tracking(patient.storage, patient.tracking_uri),
    "data": lambda patient: machine_state.data_root(patient.data) if patient.data else iter(()),
    "ray": lambda patient: services.ray(patient.address) if patient.address or patient.start_ray else iter(()),
}


def examine(patient: Patient) -> Iterator[State]:
    """Yield the state of everything, as soon as it is known."""
    for look in LOOKS.values():
        yield from look(patient)
