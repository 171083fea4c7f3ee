"""Where a trial runs, as the training loop sees it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import torch
from torch import nn

from trainables.trial_folder import Row, TrialFolder

T = TypeVar("T")


def default_device() -> torch.device:
    """Return the first CUDA device, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class RunContext(Protocol):
    """One worker's place in a trial; with several workers each has its own."""

    folder: TrialFolder
    """The trial's folder, which all workers see; only rank 0 writes to it."""
    rank: int
    world_size: int
    device: torch.device

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return `model` as it is to be trained, for example in DistributedDataParallel."""

    def gather(self, value: T) -> list[T]:
        """Return every worker's `value`, in the order of ranks; all workers call it together."""

    def preemption_notice(self) -> bool:
        """Return whether a machine of the trial is about to be taken away; all workers call it together."""

    def report(self, row: Row) -> None:
        """Tell whoever runs the trial that an epoch is committed; all workers call it together.

        It may end the trial by raising SystemExit.
        """


@dataclass(slots=True)
class LocalContext:
    """A trial in this process alone."""

    folder: TrialFolder
    on_report: Callable[[Row], None] | None = None
    device: torch.device = field(default_factory=default_device)
    rank: int = 0
    world_size: int = 1

    def wrap(self, model: nn.Module) -> nn.Module:
        return model

    def gather(self, value: T) -> list[T]:
        return [value]

    def preemption_notice(self) -> bool:
        return False

    def report(self, row: Row) -> None:
        if self.on_report is not None:
            self.on_report(row)
