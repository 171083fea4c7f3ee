"""Just Train Twice (Liu et al. 2021): what a first network gets wrong comes more often in the training of the second.

The first network trains in a folder of its own within the trial's, as a trial does: it resumes after each epoch. Its
last checkpoint there holds the mistakes.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from trainables.config import ExperimentConfig, Jtt
from trainables.data import Batch, DataBundle
from trainables.models import Classifier, in_eval_mode
from trainables.out_of_memory import naming_memory
from trainables.training.context import RunContext
from trainables.training.frozen_batches import frozen_batches
from trainables.training.loop import fit
from trainables.training.seeding import torch_threads
from trainables.trial_folder import Row

logger = logging.getLogger(__name__)

T = TypeVar("T")
MISTAKES = "mistakes"
"""A checkpoint's key for the places of the images that the first network gets wrong."""


class _FirstPlace:
    """The place in which the first network trains: its own folder, and no one to report to."""

    def __init__(self, place: RunContext) -> None:
        self._place = place
        self.folder = place.folder.first_network
        self.rank, self.world_size, self.device = place.rank, place.world_size, place.device

    def wrap(self, model: nn.Module) -> nn.Module:
        return self._place.wrap(model)

    def gather(self, value: T) -> list[T]:
        return self._place.gather(value)

    def preemption_notice(self) -> bool:
        return self._place.preemption_notice()

    def report(self, row: Row) -> None:
        """Tell nobody: its epochs are none of the trial."""


def with_mistakes_upweighted(config: ExperimentConfig, context: RunContext, data: DataBundle) -> DataBundle:
    """Return the data, of which an epoch shows the mistakes of the first network more often; without JTT, all alike.

    The first network is trained unless its mistakes are known; all workers call it together. `fit` says what it raises.
    """
    jtt = config.training.jtt
    if jtt is None:
        return data
    first = _FirstPlace(context)
    indices = first.gather(_noted(first) if context.rank == 0 else None)[0]
    if indices is None:
        indices = _find(config, jtt, context, first, data)
    times_N = np.ones(len(data.train), dtype=np.int64)
    times_N[indices] = jtt.upweight
    return replace(data, train_times_N=times_N)


def _noted(first: _FirstPlace) -> list[int] | None:
    """Return the mistakes in the last checkpoint of the first network; None where it has not got that far."""
    state = first.folder.checkpoints.load_last_good("cpu").state or {}
    return state[MISTAKES].tolist() if MISTAKES in state else None


def _find(config: ExperimentConfig, jtt: Jtt, context: RunContext, first: _FirstPlace, data: DataBundle) -> list[int]:
    """Train the first network, and note its mistakes in its folder."""

    def check_folder(_: Classifier | None, __: int) -> Row:
        if context.rank == 0:
            context.folder.check_present()  # The epoch is committed next.
        return {}

    fitted = fit(first_config(config, jtt), first, data=data, validate=check_folder)
    batches = frozen_batches(data.train_unaugmented, range(len(data.train)), config, context)
    remedy = f"lower evaluation.batch_size = {config.evaluation.batch_size}"
    with torch_threads(config.resources.cpus), naming_memory(remedy):
        own = mistakes_of(fitted.model, batches, context.device)
    indices = sorted(chain.from_iterable(first.gather(own)))
    if context.rank == 0:
        _say(len(indices), len(data.train))
        first.folder.commit({MISTAKES: torch.tensor(indices, dtype=torch.int64)}, first.folder.rows())
    return indices


def first_config(config: ExperimentConfig, jtt: Jtt) -> ExperimentConfig:
    """Return the config of the first network: its own number of epochs, a warm-up that ends in them, its own head."""
    no_choice = {"keep": "last", "keep_metric": None, "early_stopping": None}
    training = config.training.model_copy(update={"epochs": jtt.epochs, "jtt": None, **no_choice})
    warmup = config.optim.warmup_epochs if config.optim.warmup_epochs < jtt.epochs else jtt.epochs / 2
    optim = config.optim.model_copy(update={"warmup_epochs": warmup})
    objective = config.objective.model_copy(update={"dfr": None})
    return config.model_copy(update={"training": training, "optim": optim, "objective": objective})


def mistakes_of(model: Classifier, batches: Iterable[Batch], device: torch.device) -> list[int]:
    """Return the places of the images whose highest logit is not the label's, in eval mode and float32."""
    with in_eval_mode(model), torch.inference_mode():
        wrong = [_wrong_of(model, batch.to(device)) for batch in batches]
    return [index for indices in wrong for index in indices.tolist()]


def _wrong_of(model: Classifier, batch: Batch) -> Tensor:
    assert batch.indices_B is not None, "training images are of a data set"
    return batch.indices_B[model(batch.images_BCHW).logits.argmax(1) != batch.labels_B]


def _say(num: int, num_images: int) -> None:
    if num:
        logger.info("training.jtt: the first network gets %d of %d training images wrong", num, num_images)
    else:
        logger.warning(
            "training.jtt: the first network gets all %d training images right, so that none is upweighted; lower "
            "training.jtt.epochs",
            num_images,
        )
