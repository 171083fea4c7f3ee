"""How long a training step takes on this machine, with the reading of its images."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch

from trainables.config import ExperimentConfig
from trainables.data import Batch, Batches, build_trial_data
from trainables.models import build_model
from trainables.training.build import build_task
from trainables.training.context import LocalContext, default_device
from trainables.training.learner import Learner
from trainables.training.loop import epoch_batches
from trainables.training.seeding import torch_threads
from trainables.trial_folder import TrialFolder

TIMED_STEPS = 5


@dataclass(frozen=True, slots=True)
class Stepper:
    """Takes and times the training steps of a network of its own, epoch after epoch; nothing is written."""

    learner: Learner
    device: torch.device
    batches: Iterator[Batch]
    steps_per_epoch: int

    def __call__(self) -> float:
        """Take one step and return its seconds."""
        started = time.perf_counter()
        self.learner.step(next(self.batches))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - started


def stepper(config: ExperimentConfig, device: torch.device) -> Stepper:
    """Return what takes the steps of `config`, from the same random weights each time."""
    data, context = build_trial_data(config), LocalContext(TrialFolder(Path()), device=device)
    task = build_task(config, data.train)

    def batches_of(epoch: int) -> Batches:
        return epoch_batches(config, context, data, num_views=task.num_views, epoch=epoch)

    torch.manual_seed(0)
    model = build_model(
        config.model, num_classes=len(data.class_names), pretrained=False, image_size=config.data.image_size
    ).model
    num_steps = len(batches_of(1))
    learner = Learner(config, model, task, context, steps_per_epoch=num_steps)
    learner.begin(1)
    return Stepper(learner, device, (batch for epoch in count(1) for batch in batches_of(epoch)), num_steps)


def time_epoch(config: ExperimentConfig) -> float:
    """Return the seconds of an epoch's training, from a few steps after a first one that warms up."""
    with torch_threads(config.resources.cpus):
        step = stepper(config, default_device())
        first, *times = [step() for _ in range(min(step.steps_per_epoch, TIMED_STEPS + 1))]
    return sum(times or [first]) / len(times or [first]) * step.steps_per_epoch
