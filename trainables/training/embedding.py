"""The task of a loss on embeddings, from which a classifier is fitted to evaluate them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from trainables.classifiers import embed_images, fit_classifier, restore_classifier
from trainables.config import ConfigError, ExperimentConfig, SupCon, Triplet, why_nothing_was_learnt
from trainables.data import Batch, DataBundle
from trainables.losses import EmbeddingLoss
from trainables.models import BuiltModel, Classifier, Embedder
from trainables.training.context import RunContext
from trainables.training.frozen_batches import frozen_batches
from trainables.training.gathering import gather_embeddings
from trainables.training.task import Forward, TaskLoss
from trainables.trial_folder import Row


@dataclass(frozen=True)
class EmbeddingTask:
    """Learns embeddings by a loss that compares all images of a batch."""

    config: ExperimentConfig
    objective: SupCon | Triplet
    """That of the config."""
    embedding_loss: EmbeddingLoss
    projection: Callable[[int], nn.Module]
    """From the number of features to what stands between them and the embeddings in training."""
    num_views: int

    def trained_network(self, model: Classifier) -> nn.Module:
        return Embedder(model, self.projection(model.head.in_features))

    def classifier(self, network: nn.Module) -> Classifier:
        """Return the network whose head is untrained."""
        assert isinstance(network, Embedder)
        return network.classifier

    def begin(self, epoch: int) -> None:
        """Every epoch has the same loss."""

    def loss(
        self,
        batch: Batch,
        forward: Forward,
        head: nn.Linear,  # noqa: ARG002
        context: RunContext,
    ) -> TaskLoss:
        """Return the loss of all workers' images, of which each worker's own carry a gradient."""
        embeddings_AD, labels_A = gather_embeddings(
            forward(batch.images_BCHW),
            batch.labels_B,
            size=self.config.training.batch_size * self.num_views // context.world_size,
            rank=context.rank,
            world_size=context.world_size,
            may_be_short=self.config.data.on_error == "skip",
        )
        mean = self.embedding_loss(embeddings_AD, labels_A)
        return TaskLoss(mean, context.world_size, {"loss": mean.detach() * len(batch)})

    def check_first_epoch(self, loss: float, *, num_images: int, num_unmasked: int) -> None:  # noqa: ARG002
        reason = why_nothing_was_learnt(self.objective, self.config.training)
        if reason and not loss:
            raise ConfigError(reason)

    def fit_is_due(self, epoch: int) -> bool:
        """Return whether a classifier is fitted to the embeddings after `epoch`."""
        every = self.objective.fit_every_epochs
        return epoch == self.config.training.epochs or (every is not None and epoch % every == 0)

    def network_to_evaluate(
        self, model: Classifier, epoch: int, data: DataBundle, context: RunContext
    ) -> tuple[Classifier | None, Row]:
        """Fit the objective's classifier to the training images without augmentation: each worker embeds its share."""
        if not self.fit_is_due(epoch):
            return None, {}
        indices = self._fit_indices(len(data.train_unaugmented))
        batches = frozen_batches(data.train_unaugmented, indices, self.config, context)
        embedded = embed_images(model, batches, device=context.device, gather=context.gather)
        fitted = fit_classifier(self.objective.classifier, model, embedded.embeddings_NF, embedded.labels_N)
        return fitted.model, fitted.metrics

    def _fit_indices(self, num: int) -> list[int]:
        """Return which training images the classifier is fitted to: the same ones after every epoch."""
        order_N = np.random.default_rng(self.config.seed).permutation(num)
        return sorted(order_N[: self.objective.fit_sample].tolist())

    def training_state(self) -> dict[str, Any]:
        return {}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Nothing but the network is trained."""

    def state(self, evaluated: Classifier | None) -> dict[str, Any]:
        return {"evaluated": None if evaluated is None else evaluated.state_dict()}

    def weights_to_evaluate(self, state: Mapping[str, Any]) -> Mapping[str, Tensor] | None:
        weights: Mapping[str, Tensor] | None = state["evaluated"]
        return weights

    def restore(self, model: Classifier, weights: Mapping[str, Tensor]) -> Classifier:
        return restore_classifier(self.objective.classifier, model, weights)

    def describe(self, built: BuiltModel) -> dict[str, Any]:
        """Return the description with the head of the fitted classifier, not of the untrained one."""
        edits = [edit for edit in built.edits if not edit.startswith("head: ")]
        head = f"head: {self.objective.classifier.kind} fitted to features of unit length"
        return {**built.describe(), "edits": [*edits, head]}
