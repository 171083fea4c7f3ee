"""The training loop: one function for every place in which a trial runs."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.checkpoint import fitting
from trainables.config import ExperimentConfig, penalty_weights
from trainables.data import Batches, DataBundle, class_weights, strata_of, training_batches
from trainables.json_file import write_json
from trainables.models import Classifier, build_model
from trainables.out_of_memory import naming_memory
from trainables.outcome import KEPT_EPOCH, is_over, kept_epoch, result_row
from trainables.training.build import build_task
from trainables.training.context import RunContext
from trainables.training.epoch_choice import choose, restore_best
from trainables.training.learner import Learner
from trainables.training.preemption import restore_partial_epoch, save_on_preemption
from trainables.training.seeding import derive_seed, fastest_convolutions, torch_threads
from trainables.training.task import Task
from trainables.trial_folder import ENDED, Row

Validate = Callable[[Classifier | None, int], Row]
"""(network, epoch) -> metrics; all workers call it together. The network is None after an epoch that leaves none to
validate: one of an embedding to which no classifier is fitted then."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What training leaves: the network of the epoch that is kept, and its row with the number of the last epoch."""

    model: Classifier
    row: Row


def fit(config: ExperimentConfig, context: RunContext, *, data: DataBundle, validate: Validate) -> Fitted:
    """Train `config` from the folder's checkpoint, or from scratch, to its last epoch or until it stops early.

    Each epoch ends with a committed checkpoint and row, and a report to the context.

    Raises:
        BrokenFileError: No checkpoint can be read, or the last one does not fit the config.
        ConfigError: The objective needs masks, and no image of the first epoch had one; or triplets, and none of its
            batches had one; or no epoch reports the metric by which one is chosen.
        FloatingPointError: The loss of an epoch is not finite, or in no epoch the metric by which one is kept.
        MemoryError: The network and a batch do not fit in memory; the message says what to lower.
        RuntimeError: The workers do not see the same checkpoint.
        ValueError: The training set is smaller than a batch.
    """
    assert (config.training.jtt is None) == (data.train_times_N is None), "JTT knows the mistakes before it comes here"
    with torch_threads(config.resources.cpus), fastest_convolutions(context.device):
        with naming_memory(_memory_remedy(config)):
            learner, rows, model = _start(config, context, data)
        while not is_over(config.training, rows):
            model = _run_epoch(config, context, data, learner, rows, validate)
        return _fitted(config, context, learner, rows, model)


def _start(
    config: ExperimentConfig, context: RunContext, data: DataBundle
) -> tuple[Learner, list[Row], Classifier | None]:
    """Restore the last epoch that can be read, if there is one; return the learner, the rows so far and the network."""
    good = context.folder.checkpoints.load_last_good(context.device)
    learner = _build(config, context, data, is_new=good.state is None)
    epochs = context.gather(int(good.row["epoch"]))
    if len(set(epochs)) > 1:
        raise RuntimeError(
            f"the workers see checkpoints of different epochs {epochs} in {context.folder.path}: "
            "put the storage on a file system that all nodes share"
        )
    rows = context.folder.continue_from(good) if context.rank == 0 else []
    if good.state is None:
        return learner, rows, None
    with fitting(good.path):
        learner.load(good.state)
        weights = learner.task.weights_to_evaluate(good.state)
        model = None if weights is None else learner.task.restore(learner.evaluated, weights)
    if context.rank == 0:
        # Where the last checkpoint was bad, best.pt may hold the epoch that is trained again.
        rows = restore_best(context.folder, rows, good.state, weights, verify=good.bad is None)
    return learner, context.gather(rows)[0], model


def _run_epoch(
    config: ExperimentConfig,
    context: RunContext,
    data: DataBundle,
    learner: Learner,
    rows: list[Row],
    validate: Validate,
) -> Classifier | None:
    """Train, validate and commit the epoch after `rows`; append its row, and return its network to evaluate."""
    epoch, started = len(rows) + 1, time.perf_counter()
    with naming_memory(_memory_remedy(config)):
        row = _train_epoch(config, context, data, learner, epoch)
    model, fit_metrics = learner.task.network_to_evaluate(learner.evaluated, epoch, data, context)
    row |= fit_metrics | validate(model, epoch)
    _check_finite("validation", row.get("val/loss", 0.0), epoch, config)
    row |= {"time/epoch_s": time.perf_counter() - started, ENDED: time.time()}
    # Rank 0 chooses for all workers, whose metrics may differ in the last digit.
    row |= context.gather(choose(config.training, [*rows, row], is_validated=model is not None))[0]
    rows.append(row)
    if context.rank == 0:
        state = learner.state() | learner.task.state(model)
        context.folder.commit(state, rows, learner.task.weights_to_evaluate(state))
    context.report(row)
    return model


def _fitted(
    config: ExperimentConfig, context: RunContext, learner: Learner, rows: list[Row], model: Classifier | None
) -> Fitted:
    """Return the network of the epoch that is kept; all workers call it together."""
    if config.training.keep == "best":
        if KEPT_EPOCH not in rows[-1]:
            raise FloatingPointError(
                f"training.keep_metric = {config.training.keep_metric} was finite after no epoch, so that none is the "
                "best; choose another metric, or set training.keep to last"
            )
        if context.rank == 0:
            state = learner.state() | learner.task.state(model)
            rows = restore_best(context.folder, rows, state, learner.task.weights_to_evaluate(state), verify=True)
        rows = context.gather(rows)[0]
    if kept_epoch(rows) != rows[-1]["epoch"]:
        checkpoints = context.folder.checkpoints
        best = checkpoints.load_best(kept_epoch(rows), context.device)
        with fitting(checkpoints.best_path):
            weights = learner.task.weights_to_evaluate(best)
            assert weights is not None, "best.pt holds the weights of a network to evaluate"
            model = learner.task.restore(learner.evaluated, weights)
    assert model is not None, "the last epoch leaves a network to evaluate"
    return Fitted(model, result_row(rows))


def _build(config: ExperimentConfig, context: RunContext, data: DataBundle, *, is_new: bool) -> Learner:
    task = build_task(config, data.train)
    torch.manual_seed(derive_seed(config.seed))
    built = build_model(
        config.model, num_classes=len(data.class_names), pretrained=is_new, image_size=config.data.image_size
    )
    if is_new and context.rank == 0:
        write_json(context.folder.model_path, task.describe(built))
    steps = len(epoch_batches(config, context, data, num_views=task.num_views, epoch=1))
    return Learner(config, built.model, task, context, steps_per_epoch=steps)


def _train_epoch(config: ExperimentConfig, context: RunContext, data: DataBundle, learner: Learner, epoch: int) -> Row:
    torch.manual_seed(derive_seed(config.seed, epoch, context.rank))
    learner.begin(epoch)
    partial = restore_partial_epoch(context, learner, epoch=epoch)
    batches = epoch_batches(config, context, data, num_views=learner.task.num_views, epoch=epoch, start=partial.step)
    num_steps = partial.step + len(batches)
    for batch in batches:
        partial.add(learner.step(batch), batch)
        save_on_preemption(context, learner, partial, epoch=epoch, num_steps=num_steps)
    learner.align_workers()
    return _epoch_row(
        context.gather((_to_numbers(partial.totals), partial.num_images, partial.num_unmasked)),
        config,
        learner.task,
        num_steps=num_steps,
        epoch=epoch,
        learning_rate=learner.learning_rate,
        seconds=partial.seconds,
    ) | ({} if data.train_times_N is None else {"train/upweighted_samples": int((data.train_times_N > 1).sum())})


def epoch_batches(
    config: ExperimentConfig, context: RunContext, data: DataBundle, *, num_views: int, epoch: int, start: int = 0
) -> Batches:
    """Return the training batches of an epoch that this worker takes, from its step `start` on."""
    return training_batches(
        data.train,
        strata_N=strata_of(data.train, config.training.sampling),
        times_N=data.train_times_N,
        class_weights_K=class_weights(getattr(config.objective, "class_weights", None), data.train, data.class_names),
        batch_size=config.training.batch_size,
        seed=config.seed,
        epoch=epoch,
        start=start,
        num_views=num_views,
        rank=context.rank,
        world_size=context.world_size,
        processes=config.loader_processes,
        prefetch=config.data.prefetch_batches,
        pin_memory=context.device.type == "cuda",
    )


def _epoch_row(
    shares: list[tuple[dict[str, float], int, int]],
    config: ExperimentConfig,
    task: Task,
    *,
    num_steps: int,
    epoch: int,
    learning_rate: float,
    seconds: float,
) -> Row:
    totals, images, unmasked = zip(*shares, strict=True)
    means = {f"train/{name}": sum(total[name] for total in totals) / sum(images) for name in totals[0]}
    _check_finite("training", means["train/loss"], epoch, config)
    if epoch == 1:
        task.check_first_epoch(means["train/loss"], num_images=sum(images), num_unmasked=sum(unmasked))
    num_drawn = num_steps * config.training.batch_size * task.num_views
    num_skipped = (num_drawn - sum(images)) // task.num_views
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


def _memory_remedy(config: ExperimentConfig) -> str:
    training = config.training
    return f"lower training.batch_size = {training.batch_size}, or raise training.accumulate = {training.accumulate}"


def _check_finite(which: str, loss: float, epoch: int, config: ExperimentConfig) -> None:
    if not math.isfinite(loss):
        clip = "set" if config.training.clip_norm is None else "lower"
        weights = [f"lower {field}" for field in penalty_weights(config.objective)]
        *remedies, last = ("lower optim.learning_rate", f"{clip} training.clip_norm", *weights)
        raise FloatingPointError(f"the {which} loss of epoch {epoch} is {loss}: {', '.join(remedies)}, or {last}")
