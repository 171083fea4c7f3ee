"""The seconds of a training step of any config, with the reading of its images."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import torch

from trainables.config import ExperimentConfig
from trainables.data import Batch, DataBundle, build_data, class_weights, strata_of, training_batches
from trainables.models import build_model
from trainables.training.build import build_task
from trainables.training.context import LocalContext
from trainables.training.learner import Learner
from trainables.trial_folder import TrialFolder

CPU = torch.device("cpu")


def stepper(config: ExperimentConfig) -> Callable[[], float]:
    """Return a function that takes and times a step of a network of its own; all start from the same weights."""
    data = build_data(config.data)
    torch.manual_seed(0)
    model = build_model(
        config.model, num_classes=len(data.class_names), pretrained=False, image_size=config.data.image_size
    ).model
    task, context = build_task(config, data.train), LocalContext(TrialFolder(Path()), device=CPU)
    learner = Learner(config, model, task, context, steps_per_epoch=100)
    learner.begin(1)
    return partial(step_seconds, learner, batches_of(config, data, task.num_views))


def batches_of(config: ExperimentConfig, data: DataBundle, num_views: int) -> Iterator[Batch]:
    """Yield training batches, epoch after epoch."""
    for epoch in count(1):
        yield from training_batches(
            data.train,
            batch_size=config.training.batch_size,
            seed=0,
            epoch=epoch,
            num_views=num_views,
            strata_N=strata_of(data.train, config.training.sampling),
            class_weights_K=class_weights(
                getattr(config.objective, "class_weights", None), data.train, data.class_names
            ),
        )


def step_seconds(learner: Learner, batches: Iterator[Batch]) -> float:
    """Take one training step and return its seconds."""
    started = time.perf_counter()
    learner.step(next(batches))
    return time.perf_counter() - started
