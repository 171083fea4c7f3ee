"""What is particular to objectives that train an embedding: what takes the steps, and what classifies afterwards."""

from dataclasses import dataclass

import numpy as np
from torch import nn

from trainables.classifiers import FittedClassifier, embed_images, fit_classifier
from trainables.config import ExperimentConfig, ObjectiveConfig, SupCon, Triplet
from trainables.data import DataBundle, evaluation_batches
from trainables.losses import EmbeddingLoss, Objective, build_embedding_loss, build_objective
from trainables.models import Classifier, projection_head
from trainables.training.context import RunContext


@dataclass(frozen=True)
class EmbeddingTask:
    """A loss of a batch's embeddings, and what stands between the pooled features and them in training."""

    loss: EmbeddingLoss
    projection: nn.Module


def build_task(config: ObjectiveConfig, model: Classifier) -> Objective | EmbeddingTask:
    """Build what `model` is trained for; a projection's weights are drawn from torch's global generator."""
    if isinstance(config, SupCon):
        projection = projection_head(model.head.in_features, config.projection_size)
        return EmbeddingTask(build_embedding_loss(config), projection)
    if isinstance(config, Triplet):
        return EmbeddingTask(build_embedding_loss(config), nn.Identity())
    return build_objective(config)


def num_views(config: ObjectiveConfig) -> int:
    """Return how often each training image is drawn for a batch, augmented anew each time."""
    return 2 if isinstance(config, SupCon) else 1


def fit_is_due(config: ExperimentConfig, epoch: int) -> bool:
    """Return whether a classifier is fitted to the embedding after `epoch`."""
    assert isinstance(config.objective, SupCon | Triplet)
    every = config.objective.fit_every_epochs
    return epoch == config.training.epochs or (every is not None and epoch % every == 0)


def fit_to_embeddings(
    config: ExperimentConfig, context: RunContext, data: DataBundle, model: Classifier
) -> FittedClassifier:
    """Fit the objective's classifier to the embeddings of the training images, seen as validation sees images.

    All workers call it together: each embeds its share, and all of them fit to the whole.
    """
    assert isinstance(config.objective, SupCon | Triplet)
    batches = evaluation_batches(
        data.train_unaugmented,
        batch_size=config.evaluation.batch_size,
        rank=context.rank,
        world_size=context.world_size,
        processes=config.loader_processes,
        prefetch=config.data.prefetch_batches,
        pin_memory=context.device.type == "cuda",
        indices=_fit_indices(config, len(data.train_unaugmented)),
    )
    embeddings_NF, labels_N = embed_images(model, batches, device=context.device, gather=context.gather)
    return fit_classifier(config.objective.classifier, model, embeddings_NF, labels_N)


def _fit_indices(config: ExperimentConfig, num: int) -> list[int]:
    """Return which training images the classifier is fitted to: the same ones after every epoch."""
    assert isinstance(config.objective, SupCon | Triplet)
    order_N = np.random.default_rng(config.seed).permutation(num)
    return sorted(order_N[: config.objective.fit_sample].tolist())
