"""A sweep or a study to run, as a command asks for it before anything heavy is imported."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.tracking import Store
from trainables.config import ExperimentConfig


def _no_change() -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """A sweep or a study to run."""

    folder: SweepFolder
    config: SweepConfig
    """The config of the sweep after `change`."""
    store: Store
    address: str | None = None
    check: Callable[[], object] = _no_change
    """What the command checks in the folder before all else."""
    change: Callable[[], object] = _no_change
    """What the command changes in the folder, after all checks and once Ray has started."""
    trials: Collection[ExperimentConfig] = ()
    """The configs of a fixed list of trials that `change` writes."""
    retry: bool = False
    """Whether `change` lets failed trials run again."""

    @property
    def is_left(self) -> bool:
        """Whether trials are to be run."""
        folder = self.folder
        return folder.num_left(self.config) > 0 or (self.retry and bool(folder.failed()))
