"""The rules between an objective that trains an embedding and the other sections."""

from typing import TYPE_CHECKING

from trainables.config.data import SpuriousDigits
from trainables.config.objective import LinearProbe, NearestNeighbours, SupCon, Triplet, images_to_fit

if TYPE_CHECKING:
    from trainables.config.experiment import ExperimentConfig


def check_embedding(config: "ExperimentConfig") -> None:
    """Raise ValueError where a setting does not go with the embedding that `config` trains, if it trains one."""
    if not isinstance(config.objective, SupCon | Triplet):
        return
    _batch_stays_whole(config, config.objective)
    _views_differ(config, config.objective)
    _head_bias_takes_effect(config, config.objective)
    _images_are_enough(config, config.objective)
    _fits_are_in_time(config, config.objective)


def _batch_stays_whole(config: "ExperimentConfig", objective: SupCon | Triplet) -> None:
    if config.training.accumulate > 1:
        raise ValueError(
            f"training.accumulate = {config.training.accumulate} is another loss with objective.kind = "
            f"{objective.kind}, which compares all images of a batch with each other: set it to 1, and spread a "
            "large batch over resources.workers"
        )


def _views_differ(config: "ExperimentConfig", objective: SupCon | Triplet) -> None:
    augmentation = getattr(config.data, "augmentation", None)
    if augmentation is None or not isinstance(objective, SupCon):
        return
    if augmentation.crop_scale_min == 1 and not augmentation.flip:
        raise ValueError(
            "objective.kind = supcon learns from two views of each image, and with "
            "data.augmentation.crop_scale_min = 1.0 and data.augmentation.flip = false both are the same; lower the "
            "first or set the second to true"
        )


def _head_bias_takes_effect(config: "ExperimentConfig", objective: SupCon | Triplet) -> None:
    if config.model.head_bias and not isinstance(objective.classifier, LinearProbe):
        raise ValueError(
            f"model.head_bias = true has no effect with objective.classifier.kind = {objective.classifier.kind}: "
            "a linear_probe alone learns one; set it to false"
        )


def _images_are_enough(config: "ExperimentConfig", objective: SupCon | Triplet) -> None:
    needs = images_to_fit(objective)
    if isinstance(config.data, SpuriousDigits):
        for field, num in needs.items():
            if num > config.data.num_train:
                raise ValueError(f"{field} = {num} is more than the data.num_train = {config.data.num_train} images")
    if isinstance(objective.classifier, NearestNeighbours) and objective.fit_sample is not None:
        num = objective.classifier.num_neighbours
        if num > objective.fit_sample:
            raise ValueError(
                f"objective.classifier.num_neighbours = {num} is more than the objective.fit_sample = "
                f"{objective.fit_sample} images"
            )


def _fits_are_in_time(config: "ExperimentConfig", objective: SupCon | Triplet) -> None:
    every, panels = objective.fit_every_epochs, config.evaluation.panel_every_epochs
    if every is not None and every >= config.training.epochs:
        raise ValueError(
            f"objective.fit_every_epochs = {every} must be below training.epochs = {config.training.epochs}; "
            "set it to null to fit at the end only"
        )
    shown = "null" if every is None else every
    if panels is not None and (every is None or panels % every):
        raise ValueError(
            f"evaluation.panel_every_epochs = {panels} needs a classifier in those epochs, and "
            f"objective.fit_every_epochs = {shown} fits none; set it to a divisor of {panels}"
        )
    if config.evaluation.shift_every_epoch and every is None:
        raise ValueError(
            "evaluation.shift_every_epoch = true has no effect with objective.fit_every_epochs = null, which leaves no "
            "classifier before the end; set evaluation.shift_every_epoch to false, or objective.fit_every_epochs to 1"
        )
