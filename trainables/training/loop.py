"""The training loop: one function for every place in which a trial runs."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.config import ConfigError, ExperimentConfig
from trainables.data import Batches, DataBundle, training_batches
from trainables.losses import build_objective
from trainables.models import Classifier, build_model
from trainables.training.context import RunContext
from trainables.training.learner import Learner
from trainables.training.seeding import derive_seed, torch_threads
from trainables.trial_folder import Row, write_json

Validate = Callable[[Classifier, int], Row]
"""(network, epoch) -> metrics; all workers call it together."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What training leaves: the network to evaluate and the last epoch's row."""

    model: Classifier
    row: Row


def fit(config: ExperimentConfig, context: RunContext, *, data: DataBundle, validate: Validate) -> Fitted:
    """Train `config` from the folder's checkpoint, or from scratch, to its last epoch.

    Each epoch ends with a committed checkpoint and row, and a report to the context.

    Raises:
        ConfigError: The objective needs masks, and no picture of the first epoch had one.
        FloatingPointError: The training or validation loss of an epoch is not finite.
        RuntimeError: The workers do not see the same checkpoint.
        ValueError: The training set is smaller than a batch.
    """
    with torch_threads(config.resources.cpus):
        learner = _build(config, context, data)
        row = _resume(learner, context)
        for epoch in range(int(row["epoch"]) + 1, config.training.epochs + 1):
            started = time.perf_counter()
            row = _train_epoch(config, context, data, learner, epoch)
            row |= validate(learner.evaluated, epoch)
            _check_finite("validation", row.get("val/loss", 0.0), epoch)
            row["time/epoch_s"] = time.perf_counter() - started
            if context.rank == 0:
                context.folder.commit(learner.state(), row)
            context.report(row)
        return Fitted(learner.evaluated, row)


def _build(config: ExperimentConfig, context: RunContext, data: DataBundle) -> Learner:
    torch.manual_seed(derive_seed(config.seed))
    built = build_model(config.model, num_classes=len(data.class_names))
    if context.rank == 0:
        num_parameters = sum(parameter.numel() for parameter in built.model.parameters())
        write_json(context.folder.path / "model.json", {"edits": built.edits, "num_parameters": num_parameters})
    steps = len(_batches(config, context, data, epoch=1))
    return Learner(config, built.model, build_objective(config.objective), context, steps_per_epoch=steps)


def _resume(learner: Learner, context: RunContext) -> Row:
    """Take up the last committed epoch and return its row; that of epoch 0 holds nothing more."""
    state = context.folder.load_state(context.device)
    row: Row = state["row"] if state else {"epoch": 0}
    epochs = context.gather(int(row["epoch"]))
    if len(set(epochs)) > 1:
        raise RuntimeError(
            f"the workers see checkpoints of different epochs {epochs} in {context.folder.path}: "
            "put the storage on a file system that all nodes share"
        )
    if context.rank == 0:
        context.folder.repair_rows(row)
    if state:
        learner.load(state)
    return row


def _train_epoch(config: ExperimentConfig, context: RunContext, data: DataBundle, learner: Learner, epoch: int) -> Row:
    torch.manual_seed(derive_seed(config.seed, epoch, context.rank))
    learner.train_mode()
    started = time.perf_counter()
    totals_2 = torch.zeros(2, device=context.device)
    num_images = num_unmasked = 0
    batches = _batches(config, context, data, epoch=epoch)
    for batch in batches:
        totals_2 += torch.stack(learner.step(batch))
        num_images += len(batch)
        num_unmasked += len(batch) - int(batch.has_mask_B.sum())
    learner.align_workers()
    return _epoch_row(
        context.gather((totals_2.cpu(), num_images, num_unmasked)),
        config,
        num_drawn=len(batches) * config.training.batch_size,
        epoch=epoch,
        learning_rate=learner.learning_rate,
        seconds=time.perf_counter() - started,
    )


def _batches(config: ExperimentConfig, context: RunContext, data: DataBundle, *, epoch: int) -> Batches:
    return training_batches(
        data.train,
        batch_size=config.training.batch_size,
        seed=config.seed,
        epoch=epoch,
        rank=context.rank,
        world_size=context.world_size,
        processes=config.data.loader_processes,
        pin_memory=context.device.type == "cuda",
    )


def _epoch_row(
    shares: list[tuple[Tensor, int, int]],
    config: ExperimentConfig,
    *,
    num_drawn: int,
    epoch: int,
    learning_rate: float,
    seconds: float,
) -> Row:
    totals, images, unmasked = zip(*shares, strict=True)
    loss, accuracy = (torch.stack(totals).double().sum(0) / sum(images)).tolist()
    _check_finite("training", loss, epoch)
    if epoch == 1 and config.objective.kind == "contrastive" and sum(unmasked) == sum(images):
        raise ConfigError(
            f"objective.kind = contrastive, and not one of the {sum(images)} training pictures of epoch 1 showed "
            "an object in its mask; check the mask files, or set objective.kind=cross_entropy"
        )
    skipped = {"train/skipped_samples": num_drawn - sum(images)} if config.data.on_error == "skip" else {}
    return {
        "epoch": epoch,
        "train/loss": loss,
        "train/accuracy": accuracy,
        "train/samples_without_mask": sum(unmasked),
        **skipped,
        "optim/learning_rate": learning_rate,
        "time/train_s": seconds,
        "time/images_per_s": sum(images) / seconds,
    }


def _check_finite(which: str, loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the {which} loss of epoch {epoch} is {loss}: lower optim.learning_rate, "
            "set training.clip_norm, or lower objective.background_weight"
        )
