"""The checks of the doctor, in their order."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.doctor import machine_state, services
from orchestrator.doctor.machine_state import State


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What is checked besides the machine itself."""

    storage: Path
    tracking_uri: str | None = None
    data: Path | None = None
    """Folder of a data set; None checks none."""
    address: str | None = None
    """Address of a Ray cluster."""
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
    """Yield the result of each check, as soon as it is known."""
    for check in CHECKS.values():
        yield from check(options)
