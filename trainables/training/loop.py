"""The training loop: one function for every place in which a trial runs."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainables.classifiers import restore_classifier
from trainables.config import ConfigError, ExperimentConfig, SupCon, Triplet, mask_needs, penalty_weights
from trainables.data import Batches, DataBundle, training_batches
from trainables.models import BuiltModel, Classifier, build_model
from trainables.training.context import RunContext
from trainables.training.embedding import build_task, fit_is_due, fit_to_embeddings, num_views
from trainables.training.learner import Learner
from trainables.training.preemption import restore_partial_epoch, save_on_preemption
from trainables.training.seeding import derive_seed, torch_threads
from trainables.trial_folder import Row, write_json

Validate = Callable[[Classifier | None, int], Row]
"""(network, epoch) -> metrics; all workers call it together. The network is None after an epoch that leaves none to
validate: one of an embedding to which no classifier is fitted then."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What training leaves: the network to evaluate and the last epoch's row."""

    model: Classifier
    row: Row


def fit(config: ExperimentConfig, context: RunContext, *, data: DataBundle, validate: Validate) -> Fitted:
    """Train `config` from the folder's checkpoint, or from scratch, to its last epoch.

    Each epoch ends with a committed checkpoint and row, and a report to the context.

    Raises:
        ConfigError: The objective needs masks, and no image of the first epoch had one; or triplets, and none of its
            batches had one.
        FloatingPointError: The training or validation loss of an epoch is not finite.
        RuntimeError: The workers do not see the same checkpoint.
        ValueError: The training set is smaller than a batch.
    """
    with torch_threads(config.resources.cpus):
        learner = _build(config, context, data)
        row, model = _resume(config, context, learner)
        for epoch in range(int(row["epoch"]) + 1, config.training.epochs + 1):
            started = time.perf_counter()
            row = _train_epoch(config, context, data, learner, epoch)
            model, figures = _to_evaluate(config, context, data, learner, epoch)
            row |= figures | validate(model, epoch)
            _check_finite("validation", row.get("val/loss", 0.0), epoch, config)
            row["time/epoch_s"] = time.perf_counter() - started
            if context.rank == 0:
                context.folder.commit(_state(config, learner, model), row)
            context.report(row)
        assert model is not None, "the last epoch leaves a network to evaluate"
        return Fitted(model, row)


def _build(config: ExperimentConfig, context: RunContext, data: DataBundle) -> Learner:
    torch.manual_seed(derive_seed(config.seed))
    is_new = not context.folder.state_path.exists()
    built = build_model(config.model, num_classes=len(data.class_names), pretrained=is_new)
    if is_new and context.rank == 0:
        write_json(context.folder.path / "model.json", _describe(config, built))
    steps = len(_batches(config, context, data, epoch=1))
    return Learner(config, built.model, build_task(config.objective, built.model), context, steps_per_epoch=steps)


def _describe(config: ExperimentConfig, built: BuiltModel) -> dict[str, Any]:
    """Return what is said of the network; the head of an embedding's is the classifier's."""
    if not isinstance(config.objective, SupCon | Triplet):
        return built.describe()
    edits = [edit for edit in built.edits if not edit.startswith("head: ")]
    head = f"head: {config.objective.classifier.kind} fitted to features of unit length"
    return {**built.describe(), "edits": [*edits, head]}


def _to_evaluate(
    config: ExperimentConfig, context: RunContext, data: DataBundle, learner: Learner, epoch: int
) -> tuple[Classifier | None, Row]:
    """Return the network to validate after `epoch`, if there is one, and figures of how it was fitted."""
    if not isinstance(config.objective, SupCon | Triplet):
        return learner.evaluated, {}
    if not fit_is_due(config, epoch):
        return None, {}
    fitted = fit_to_embeddings(config, context, data, learner.evaluated)
    return fitted.model, fitted.figures


def _state(config: ExperimentConfig, learner: Learner, model: Classifier | None) -> dict[str, Any]:
    state = learner.state()
    if isinstance(config.objective, SupCon | Triplet):
        state["evaluated"] = None if model is None else model.state_dict()
    return state


def _resume(config: ExperimentConfig, context: RunContext, learner: Learner) -> tuple[Row, Classifier | None]:
    """Take up the last committed epoch; return its row, that of epoch 0 holding nothing more, and its network."""
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
    if not isinstance(config.objective, SupCon | Triplet):
        return row, learner.evaluated
    if state is None or state["evaluated"] is None:
        return row, None
    return row, restore_classifier(config.objective.classifier, learner.evaluated, state["evaluated"])


def _train_epoch(config: ExperimentConfig, context: RunContext, data: DataBundle, learner: Learner, epoch: int) -> Row:
    torch.manual_seed(derive_seed(config.seed, epoch, context.rank))
    learner.train_mode()
    partial = restore_partial_epoch(context, learner, epoch=epoch)
    batches = _batches(config, context, data, epoch=epoch, start=partial.step)
    num_steps = partial.step + len(batches)
    for batch in batches:
        partial.add(learner.step(batch), batch)
        save_on_preemption(context, learner, partial, epoch=epoch, num_steps=num_steps)
    learner.align_workers()
    return _epoch_row(
        context.gather((_to_numbers(partial.totals), partial.num_images, partial.num_unmasked)),
        config,
        num_drawn=num_steps * config.training.batch_size * num_views(config.objective),
        epoch=epoch,
        learning_rate=learner.learning_rate,
        seconds=partial.seconds,
    )


def _batches(config: ExperimentConfig, context: RunContext, data: DataBundle, *, epoch: int, start: int = 0) -> Batches:
    return training_batches(
        data.train,
        batch_size=config.training.batch_size,
        seed=config.seed,
        epoch=epoch,
        start=start,
        num_views=num_views(config.objective),
        rank=context.rank,
        world_size=context.world_size,
        processes=config.loader_processes,
        prefetch=config.data.prefetch_batches,
        pin_memory=context.device.type == "cuda",
    )


def _epoch_row(
    shares: list[tuple[dict[str, float], int, int]],
    config: ExperimentConfig,
    *,
    num_drawn: int,
    epoch: int,
    learning_rate: float,
    seconds: float,
) -> Row:
    totals, images, unmasked = zip(*shares, strict=True)
    means = {f"train/{name}": sum(total[name] for total in totals) / sum(images) for name in totals[0]}
    _check_finite("training", means["train/loss"], epoch, config)
    if epoch == 1 and sum(unmasked) == sum(images):
        _refuse_without_masks(config, sum(images))
    if epoch == 1 and not means["train/loss"]:
        _refuse_without_triplets(config)
    num_skipped = (num_drawn - sum(images)) // num_views(config.objective)
    skipped = {"train/skipped_samples": num_skipped} if config.data.on_error == "skip" else {}
    return {
        "epoch": epoch,
        **means,
        "train/samples_without_mask": sum(unmasked),
        **skipped,
        "optim/learning_rate": learning_rate,
        "time/train_s": seconds,
        "time/images_per_s": sum(images) / seconds,
    }


def _to_numbers(totals: dict[str, Tensor]) -> dict[str, float]:
    """Return the totals as numbers; an accelerator is waited for once."""
    numbers: list[float] = torch.stack(list(totals.values())).cpu().double().tolist()
    return dict(zip(totals, numbers, strict=True))


def _refuse_without_masks(config: ExperimentConfig, num_images: int) -> None:
    if needs := mask_needs(config.objective):
        raise ConfigError(
            f"{' and '.join(needs)} {'needs' if len(needs) == 1 else 'need'} masks, and not one of the {num_images} "
            "training images of epoch 1 showed an object in its mask; check the mask files, or set "
            f"{' and '.join(needs.values())}"
        )


def _refuse_without_triplets(config: ExperimentConfig) -> None:
    if isinstance(config.objective, Triplet):
        raise ConfigError(
            "objective.kind = triplet found no semi-hard triplet in any batch of epoch 1, so that nothing was learnt; "
            f"raise training.batch_size = {config.training.batch_size}, for a batch to hold several images of a "
            f"class, or objective.margin = {config.objective.margin}"
        )


def _check_finite(which: str, loss: float, epoch: int, config: ExperimentConfig) -> None:
    if not math.isfinite(loss):
        clip = "set" if config.training.clip_norm is None else "lower"
        weights = [f"lower {field}" for field in penalty_weights(config.objective)]
        *remedies, last = ("lower optim.learning_rate", f"{clip} training.clip_norm", *weights)
        raise FloatingPointError(f"the {which} loss of epoch {epoch} is {loss}: {', '.join(remedies)}, or {last}")
