"""One trial from its config to its evaluation, in whatever context it runs."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from trainables.checkpoint import fitting
from trainables.config import (
    ConfigError,
    ExperimentConfig,
    SpuriousDigits,
    flatten,
    images_to_fit,
)
from trainables.data import NO_INDEX, DataBundle, FileIndex, build_trial_data, class_weights, left_out_of
from trainables.evaluations import (
    FINAL_SUITE,
    EvaluationContext,
    EvaluationStore,
    Metrics,
    ProgressListener,
    draw_panels,
    is_evaluated,
    run_suite,
)
from trainables.json_file import write_json
from trainables.metric_names import Split, of_split
from trainables.models import Classifier, build_model
from trainables.out_of_memory import naming_memory
from trainables.outcome import KEPT_EPOCH
from trainables.split_log import log_split
from trainables.training.balanced_images import check_last_layer
from trainables.training.build import build_task
from trainables.training.context import RunContext
from trainables.training.epoch_choice import check_epoch_choice, epoch_suite
from trainables.training.jtt import with_mistakes_upweighted
from trainables.training.learner import memory_format_of
from trainables.training.loop import Fitted, fit
from trainables.training.seeding import torch_threads
from trainables.trial_folder import Row, TrialFolder

logger = logging.getLogger(__name__)


def run_trial(config: ExperimentConfig, context: RunContext, file_index: FileIndex = NO_INDEX) -> Row:
    """Train, evaluate and draw; report and return the row of the epoch that is kept, with the final evaluation.

    What the folder already holds is not done again, so an interrupted trial continues where it stopped.

    Args:
        config: That of the context's folder, which was claimed for it.
        file_index: Where lists of the data's files are kept.
    """
    check_epoch_choice(config)
    folder = context.folder
    data = build_trial_data(config, file_index)
    _check_enough(config, data)
    if context.rank == 0:
        _describe(data, config, folder)

    trained = False

    def validate(model: Classifier | None, epoch: int) -> Row:
        nonlocal trained
        trained = True
        if context.rank == 0:
            folder.check_present()
            folder.forget_evaluation()  # of an epoch before this one
        if model is None:
            return {}
        every = config.evaluation.panel_every_epochs
        if every is not None and epoch % every == 0 and epoch < config.training.epochs:
            _draw(config, context, model, data, epoch)
        metrics = evaluate(config, context, model, data, epoch_suite(config), by=f"epoch {epoch}")
        if context.rank == 0:
            folder.check_present()  # The epoch is committed next.
        return metrics

    fitted = fit(config, context, data=with_mistakes_upweighted(config, context, data), validate=validate)
    found = None if trained else context.gather(folder.evaluation())[0]
    final = {**fitted.row, **(found or _evaluate_at_end(config, context, fitted, data))}
    context.report(final)
    return final


def _has_shifted_sets(config: ExperimentConfig) -> bool:
    """Return whether there are shifted sets that a trial may read: those of the test split where it is validation."""
    held_out = config.data.validation.source == "held_out"
    return bool(config.data.val_shift_names or (held_out and config.data.shift_names))


def check_data(config: ExperimentConfig, file_index: FileIndex = NO_INDEX) -> None:
    """Raise ConfigError where the files of `config.data` cannot be used, or are not enough to train on."""
    # Digits are drawn, and the config checks their number itself, but not that of each group.
    if not isinstance(config.data, SpuriousDigits) or getattr(config.objective, "dfr", None) is not None:
        _check_enough(config, build_trial_data(config, file_index))


def evaluate(
    config: ExperimentConfig,
    context: RunContext,
    model: Classifier,
    data: DataBundle,
    names: Sequence[str],
    *,
    split: Split = "val",
    by: str = "evaluate",
    listener: ProgressListener | None = None,
    store: EvaluationStore | None = None,
) -> Metrics:
    """Run the named evaluations of a split, each worker on its share; every worker gets the whole result.

    Args:
        by: What asks for it; the trial's folder notes it.
    """
    if context.rank == 0 and names:
        log_split(context.folder.path, split, by)
    listener = listener or _SkipsLogged()
    log_use = partial(log_split, context.folder.path, split)
    subject = replace(_subject(config, context, model, data), split=split, tick=listener.on_tick, log_use=log_use)
    remedy = f"lower evaluation.batch_size = {config.evaluation.batch_size}"
    with torch_threads(config.resources.cpus), naming_memory(remedy):
        metrics = run_suite(names, subject, listener=listener, store=store)
        if config.data.on_error == "skip" and of_split("loss", split) in metrics:
            metrics[of_split("skipped_samples", split)] = len(subject.images) - len(subject.evaluated.labels_N)
    return metrics


def _subject(config: ExperimentConfig, context: RunContext, model: Classifier, data: DataBundle) -> EvaluationContext:
    return EvaluationContext(
        model=model,
        data=data,
        device=context.device,
        batch_size=config.evaluation.batch_size,
        settings=config.evaluation.suite,
        processes=config.loader_processes,
        prefetch=config.data.prefetch_batches,
        rank=context.rank,
        world_size=context.world_size,
        gather=context.gather,
    )


class _SkipsLogged(ProgressListener):
    def on_skip(self, name: str, reason: str) -> None:
        logger.info("%s: skipped, %s", name, reason)


def load_model(folder: TrialFolder, device: torch.device) -> Classifier:
    """Build the network that a trial keeps, in eval mode: that of the last committed epoch, or of the best one.

    Raises:
        BrokenFileError: Its checkpoint cannot be read, or does not fit the config.
        FileNotFoundError: It has none.
    """
    config, found = folder.config(), folder.checkpoints.load_kept(device)
    if found is None:
        raise FileNotFoundError(f"{folder.path} has no checkpoint: the trial has not finished an epoch")
    task, (path, state) = build_task(config), found
    with fitting(path):
        weights = task.weights_to_evaluate(state)
    if weights is None:
        raise FileNotFoundError(
            f"{folder.path} has no classifier: none was fitted after epoch {state['row']['epoch']}, the last one so "
            f"far, with objective.fit_every_epochs = {flatten(config)['objective.fit_every_epochs'] or 'null'}"
        )
    with fitting(path):
        model = build_model(
            config.model, num_classes=len(weights["head.weight"]), pretrained=False, image_size=config.data.image_size
        ).model.to(device)
        return task.restore(model, weights).eval().to(memory_format=memory_format_of(config.training))


def _evaluate_at_end(config: ExperimentConfig, context: RunContext, fitted: Fitted, data: DataBundle) -> Metrics:
    measured = {
        key: value
        for key, value in fitted.row.items()
        if is_evaluated(key) or key.endswith("/skipped_samples") or key == KEPT_EPOCH
    }
    is_left = not config.evaluation.shift_every_epoch and _has_shifted_sets(config)
    names = FINAL_SUITE if is_left else ()
    metrics = measured | evaluate(config, context, fitted.model, data, names, by="end of training")
    if context.rank == 0:
        context.folder.check_present()
    _draw(config, context, fitted.model, data, int(fitted.row.get(KEPT_EPOCH, fitted.row["epoch"])))
    if context.rank == 0:
        write_json(context.folder.evaluation_path, metrics)
    return metrics


def _check_enough(config: ExperimentConfig, data: DataBundle) -> None:
    check_last_layer(config, data)
    if isinstance(config.data, SpuriousDigits):
        return
    where = f"data.root = {config.data.root}"
    if len(data.class_names) < 2:
        raise ConfigError(f"{where}: found one class alone, {', '.join(data.class_names)}; a classifier needs two")
    if len(data.train) < config.training.batch_size:
        raise ConfigError(
            f"{where}: the training set has {len(data.train)} images, fewer than training.batch_size = "
            f"{config.training.batch_size}; lower training.batch_size or add images"
        )
    class_weights(getattr(config.objective, "class_weights", None), data.train, data.class_names)
    build_task(config, data.train)
    for field, num in images_to_fit(config.objective).items():
        if len(data.train) < num:
            raise ConfigError(
                f"{where}: the training set has {len(data.train)} images, fewer than {field} = {num}; lower it or "
                "add images"
            )


def _draw(config: ExperimentConfig, context: RunContext, model: Classifier, data: DataBundle, epoch: int) -> None:
    if context.rank == 0:
        draw_panels(
            model,
            data.val,
            num_images=config.evaluation.panel_images,
            num_rivals=config.evaluation.panel_rivals,
            folder=context.folder.panels_path(epoch),
            device=context.device,
        )


def _describe(data: DataBundle, config: ExperimentConfig, folder: TrialFolder) -> None:
    description = {
        "name": config.data.kind,
        "digest": data.train.digest(),
        "val_digest": data.val.digest(),
        "test_digest": data.test.digest(),
        "num_train": len(data.train),
        "num_val": len(data.val),
        "num_test": len(data.test),
        "num_shift": {name: len(images) for name, images in data.shift.items()},
        "num_val_shift": {name: len(images) for name, images in data.val_shift.items()},
        "class_names": data.class_names,
    }
    if data.fit is not None:
        description |= {"fit_digest": data.fit.digest(), "num_fit": len(data.fit)}
    write_json(folder.data_path, description)
    left_out = left_out_of(data)
    if left_out:
        logger.warning("%s", left_out)
