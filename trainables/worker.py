"""A trial on Ray Train's data-parallel workers; the only file that knows Ray."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import ray.train
import ray.train.torch
import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainables.data import NO_INDEX
from trainables.trial import run_trial
from trainables.trial_folder import Row, TrialFolder
from trainables.trial_log import trial_log

T = TypeVar("T")


@dataclass(slots=True)
class TrainWorkerContext:
    """One Ray Train worker's place in a trial: nccl between GPUs, gloo between CPUs."""

    folder: TrialFolder
    on_report: Callable[[Row], None]
    """Called on rank 0 after every commit."""
    rank: int
    world_size: int
    device: torch.device

    def wrap(self, model: nn.Module) -> nn.Module:
        if self.world_size == 1:
            return model
        return DistributedDataParallel(model, device_ids=[self.device] if self.device.type == "cuda" else None)

    def gather(self, value: T) -> list[T]:
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        torch.distributed.all_gather_object(values, value)
        return values

    def preemption_notice(self) -> bool:
        return ray.train.get_preemption_info() is not None

    def report(self, row: Row) -> None:
        if self.rank == 0:
            self.on_report(row)
        ray.train.report(dict(row))


def train_worker(task: dict[str, Any]) -> None:
    """Run one worker of a trial.

    Args:
        task: `folder` (the trial's, seen by all workers, with its config), `on_report` (a picklable function of a row)
            and `file_index` (where lists of the data's files are kept).
    """
    place = ray.train.get_context()
    context = TrainWorkerContext(
        folder=TrialFolder(Path(task["folder"])),
        on_report=task["on_report"],
        rank=place.get_world_rank(),
        world_size=place.get_world_size(),
        device=ray.train.torch.get_device(),
    )
    with trial_log(context.folder.log_path):
        run_trial(context.folder.config(), context, task.get("file_index", NO_INDEX))
