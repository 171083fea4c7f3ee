"""How long a training step takes on this machine."""

import time
from pathlib import Path

import torch

from trainables.config import ExperimentConfig
from trainables.data import build_data, training_batches
from trainables.models import build_model
from trainables.training.build import build_task
from trainables.training.context import LocalContext
from trainables.training.learner import Learner
from trainables.training.seeding import torch_threads
from trainables.trial_folder import TrialFolder

TIMED_STEPS = 5


def time_epoch(experiment: ExperimentConfig) -> float:
    """Return the seconds of an epoch's training, from a few steps after a first one that warms up."""
    data = build_data(experiment.data)
    task = build_task(experiment, data.train)
    batches = training_batches(
        data.train, batch_size=experiment.training.batch_size, seed=0, epoch=1, num_views=task.num_views
    )
    with torch_threads(experiment.resources.cpus):
        torch.manual_seed(0)
        model = build_model(
            experiment.model, num_classes=len(data.class_names), pretrained=False, image_size=experiment.data.image_size
        ).model
        context = LocalContext(TrialFolder(Path()))
        learner = Learner(experiment, model, task, context, steps_per_epoch=len(batches))
        learner.begin(1)
        times = []
        for _, batch in zip(range(TIMED_STEPS + 1), batches, strict=False):
            started = time.perf_counter()
            learner.step(batch)
            times.append(time.perf_counter() - started)
    return sum(times[1:] or times) / len(times[1:] or times) * len(batches)
