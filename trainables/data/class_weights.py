"""How much the loss of an image counts by its class.

N images, K classes, B batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from trainables.config import ConfigError
from trainables.data.batch import Batch
from trainables.data.dataset import ImageSet, Labelled
from trainables.data.image_names import composed


def class_weights(
    weights: str | Mapping[str, float] | None, images: ImageSet, class_names: Sequence[str]
) -> Tensor | None:
    """Return the weight of each class, float32 of shape K; None where all count alike.

    Args:
        weights: By class name, 1 for those that are not named; or `balanced`.
        images: The training images.
        class_names: Names by label.

    Raises:
        ConfigError: A name is that of no class, or no class counts.
    """
    if weights is None:
        return None
    if isinstance(weights, str):
        assert isinstance(images, Labelled), "a training set has labels"
        return balanced_weights(images.labels_N, len(class_names))
    labels = {composed(name): label for label, name in enumerate(class_names)}
    unknown = [name for name in weights if composed(name) not in labels]
    if unknown:
        raise ConfigError(
            f"objective.class_weights names {', '.join(unknown)}, which no class is called; the classes are "
            f"{', '.join(class_names)}"
        )
    weights_K = torch.ones(len(class_names))
    for name, weight in weights.items():
        weights_K[labels[composed(name)]] = weight
    if not weights_K.any():
        raise ConfigError("objective.class_weights is 0 for every class, so that no image counts; let one be above 0")
    return weights_K


def balanced_weights(labels_N: Tensor, num_classes: int) -> Tensor:
    """Return weights that are inversely proportional to the numbers of images, with a mean of 1 over the images."""
    counts_K = torch.bincount(labels_N, minlength=num_classes)
    num_present = int((counts_K > 0).sum())
    return torch.where(counts_K > 0, len(labels_N) / (num_present * counts_K.double()), 0).float()


def weigh(batch: Batch, weights_K: Tensor | None) -> Batch:
    """Return a batch whose images count by the weights of their classes, on top of their own."""
    if weights_K is None:
        return batch
    weights_B = weights_K[batch.labels_B]
    return replace(batch, weights_B=weights_B if batch.weights_B is None else weights_B * batch.weights_B)
