"""The rules between an objective that trains an embedding and the other sections."""

from trainables.config.data import DataConfig, SpuriousDigits
from trainables.config.model import ModelConfig
from trainables.config.objective import (
    LinearProbe,
    NearestNeighbours,
    ObjectiveConfig,
    SupCon,
    Triplet,
    images_to_fit,
)
from trainables.config.training import Evaluation, Training


def check_embedding(
    objective: ObjectiveConfig, data: DataConfig, model: ModelConfig, training: Training, evaluation: Evaluation
) -> None:
    """Raise ValueError where another section does not fit an objective that trains an embedding."""
    if not isinstance(objective, SupCon | Triplet):
        return
    _batch_stays_whole(objective, training)
    _views_differ(objective, data)
    _head_bias_takes_effect(objective, model)
    _images_are_enough(objective, data)
    _fits_are_in_time(objective, training, evaluation)
    _epochs_can_be_chosen(objective, training)


def _batch_stays_whole(objective: SupCon | Triplet, training: Training) -> None:
    if training.accumulate > 1:
        raise ValueError(
            f"training.accumulate = {training.accumulate} is another loss with objective.kind = "
            f"{objective.kind}, which compares all images of a batch with each other: set it to 1, and spread a "
            "large batch over resources.workers"
        )


def _views_differ(objective: SupCon | Triplet, data: DataConfig) -> None:
    augmentation = getattr(data, "augmentation", None)
    if augmentation is None or not isinstance(objective, SupCon):
        return
    if not augmentation.is_random:
        raise ValueError(
            "objective.kind = supcon learns from two views of each image, and with "
            "data.augmentation.crop_scale_min = 1.0 and data.augmentation.flip = false both are the same; lower the "
            "first or set the second to true"
        )


def _head_bias_takes_effect(objective: SupCon | Triplet, model: ModelConfig) -> None:
    if model.head_bias and not isinstance(objective.classifier, LinearProbe):
        raise ValueError(
            f"model.head_bias = true has no effect with objective.classifier.kind = {objective.classifier.kind}: "
            "a linear_probe alone learns one; set it to false"
        )


def _images_are_enough(objective: SupCon | Triplet, data: DataConfig) -> None:
    needs = images_to_fit(objective)
    if isinstance(data, SpuriousDigits):
        for field, num in needs.items():
            if num > data.num_train:
                raise ValueError(f"{field} = {num} is more than the data.num_train = {data.num_train} images")
    if isinstance(objective.classifier, NearestNeighbours) and objective.fit_sample is not None:
        num = objective.classifier.num_neighbours
        if num > objective.fit_sample:
            raise ValueError(
                f"objective.classifier.num_neighbours = {num} is more than the objective.fit_sample = "
                f"{objective.fit_sample} images"
            )


def _fits_are_in_time(objective: SupCon | Triplet, training: Training, evaluation: Evaluation) -> None:
    every, panels = objective.fit_every_epochs, evaluation.panel_every_epochs
    if every is not None and every >= training.epochs:
        raise ValueError(
            f"objective.fit_every_epochs = {every} must be below training.epochs = {training.epochs}; "
            "set it to null to fit at the end only"
        )
    shown = "null" if every is None else every
    if panels is not None and (every is None or panels % every):
        raise ValueError(
            f"evaluation.panel_every_epochs = {panels} needs a classifier in those epochs, and "
            f"objective.fit_every_epochs = {shown} fits none; set it to a divisor of {panels}"
        )
    if evaluation.shift_every_epoch and every is None:
        raise ValueError(
            "evaluation.shift_every_epoch = true has no effect with objective.fit_every_epochs = null, which leaves no "
            "classifier before the end; set evaluation.shift_every_epoch to false, or objective.fit_every_epochs to 1"
        )


def _epochs_can_be_chosen(objective: SupCon | Triplet, training: Training) -> None:
    chosen = [f"training.keep = {training.keep}"] if training.keep == "best" else []
    if training.early_stopping is not None:
        chosen.append(f"training.early_stopping.metric = {training.early_stopping.metric}")
    verb = "chooses" if len(chosen) == 1 else "choose"
    if chosen and objective.fit_every_epochs is None:
        raise ValueError(
            f"{' and '.join(chosen)} {verb} among epochs with a classifier, and objective.fit_every_epochs = null "
            "leaves none before the last one; set objective.fit_every_epochs to 1"
        )


def why_nothing_was_learnt(objective: SupCon | Triplet, training: Training) -> str | None:
    """Return what a loss of 0 over the whole first epoch means; None where it cannot be 0."""
    if not isinstance(objective, Triplet):
        return None
    return (
        "objective.kind = triplet found no semi-hard triplet in any batch of epoch 1, so that nothing was learnt; "
        f"raise training.batch_size = {training.batch_size}, so that a batch holds several images of a class, or "
        f"objective.margin = {objective.margin}"
    )
