"""The task of a classifier whose last layer is fitted anew whenever the network is validated."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from trainables.classifiers import LastLayer, embed_images, fit_last_layer, restore_last_layer, with_last_layer
from trainables.config import Dfr, ExperimentConfig
from trainables.data import Batch, DataBundle, ImageSet
from trainables.models import BuiltModel, Classifier
from trainables.split_log import log_split
from trainables.training.balanced_images import (
    IMAGES,
    and_on_grey,
    check_strata,
    images_to_balance,
    places_to_read,
    strata_to_balance,
)
from trainables.training.context import RunContext
from trainables.training.frozen_batches import frozen_batches
from trainables.training.task import Forward, Task, TaskLoss
from trainables.trial_folder import Row


@dataclass(frozen=True)
class LastLayerTask:
    """Trains as another task does, and evaluates its network with a last layer that is fitted anew."""

    config: ExperimentConfig
    dfr: Dfr
    """That of the config's objective."""
    task: Task

    @property
    def num_views(self) -> int:
        return self.task.num_views

    def trained_network(self, model: Classifier) -> nn.Module:
        return self.task.trained_network(model)

    def classifier(self, network: nn.Module) -> Classifier:
        return self.task.classifier(network)

    def begin(self, epoch: int) -> None:
        self.task.begin(epoch)

    def loss(self, batch: Batch, forward: Forward, head: nn.Linear, context: RunContext) -> TaskLoss:
        return self.task.loss(batch, forward, head, context)

    def check_first_epoch(self, loss: float, *, num_images: int, num_unmasked: int) -> None:
        self.task.check_first_epoch(loss, num_images=num_images, num_unmasked=num_unmasked)

    def network_to_evaluate(
        self, model: Classifier, epoch: int, data: DataBundle, context: RunContext
    ) -> tuple[Classifier | None, Row]:
        """Fit the last layer to the features of balanced images; each worker makes its share, and rank 0 fits."""
        trained, metrics = self.task.network_to_evaluate(model, epoch, data, context)
        assert trained is not None, "a classifier is validated after every epoch"
        if self.dfr.fit_on == "validation" and context.rank == 0:
            log_split(context.folder.path, "val", f"objective.dfr, epoch {epoch}")
        layer = self._fit(trained, images_to_balance(self.dfr, data), context)
        fitted = {"classifier/strength": layer.strength, "classifier/worst_accuracy": layer.worst_accuracy}
        return with_last_layer(trained, layer), {**metrics, **fitted}

    def _fit(self, trained: Classifier, images: ImageSet, context: RunContext) -> LastLayer:
        places, num = places_to_read(self.dfr, images, self.config.seed), len(images)
        batches: Iterable[Batch] = frozen_batches(images, places, self.config, context)
        embedded = embed_images(
            trained,
            batches if self.dfr.needs_groups else and_on_grey(batches, num),
            device=context.device,
            unit_length=False,
            gather=context.gather,
        )
        # Images as they are and on grey are in the same order, that of their ids.
        is_unchanged_N = embedded.indices_N < num
        is_fit_N = is_unchanged_N if self.dfr.needs_groups else ~is_unchanged_N
        strata_N = strata_to_balance(self.dfr, images)[embedded.indices_N[is_fit_N] % num]
        check_strata(self.dfr, images, strata_N)
        fit = partial(
            fit_last_layer,
            embedded.embeddings_NF[is_fit_N],
            embedded.labels_N[is_fit_N],
            strata_N,
            num_subsets=self.dfr.num_subsets,
            most=self.dfr.images_per_group,
            seed=self.config.seed,
            unchanged_NF=embedded.embeddings_NF[is_unchanged_N],
        )
        layer = context.gather(fit() if context.rank == 0 else None)[0]  # Other machines' last digits may differ.
        assert layer is not None, "rank 0 fits"
        return layer

    def training_state(self) -> dict[str, Any]:
        return self.task.training_state()

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        self.task.load_training_state(state)

    def state(self, evaluated: Classifier | None) -> dict[str, Any]:
        assert evaluated is not None, "a classifier is validated after every epoch"
        return {**self.task.state(evaluated), "evaluated": evaluated.state_dict()}

    def weights_to_evaluate(self, state: Mapping[str, Any]) -> Mapping[str, Tensor] | None:
        weights: Mapping[str, Tensor] = state["evaluated"]
        return weights

    def restore(self, model: Classifier, weights: Mapping[str, Tensor]) -> Classifier:
        return restore_last_layer(model, weights)

    def describe(self, built: BuiltModel) -> dict[str, Any]:
        """Return the description with the head that is evaluated, which has a bias."""
        edits = [edit for edit in built.edits if not edit.startswith("head: ")]
        return {**built.describe(), "edits": [*edits, f"head: fitted anew, with a bias, to {IMAGES[self.dfr.fit_on]}"]}
