"""The task of a loss on the logits: the network that is trained is the one that is evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from trainables.config import ConfigError, ExperimentConfig, mask_needs, objective_at
from trainables.data import Batch, DataBundle
from trainables.losses import Objective, build_objective, reduce_terms, weighted
from trainables.models import BuiltModel, Classifier
from trainables.training.context import RunContext
from trainables.training.group_dro import GroupDro
from trainables.training.mixing import MixedBatch, Mixing, join_terms, main_labels
from trainables.training.task import Forward, TaskLoss
from trainables.trial_folder import Row


@dataclass
class ClassificationTask:
    """Learns to classify images by `objective`, after `mixing` has changed them."""

    config: ExperimentConfig
    objective: Objective
    """That of the epoch."""
    mixing: Mixing
    group_dro: GroupDro | None = None
    num_views: int = 1

    def trained_network(self, model: Classifier) -> nn.Module:
        return model

    def classifier(self, network: nn.Module) -> Classifier:
        assert isinstance(network, Classifier)
        return network

    def begin(self, epoch: int) -> None:
        self.objective = build_objective(objective_at(self.config.objective, epoch))

    def loss(self, batch: Batch, forward: Forward, head: nn.Linear, context: RunContext) -> TaskLoss:
        """Return the loss of this worker's own images, with `accuracy`, which counts hits, and any further terms."""
        mixed = self.mixing(batch)
        if getattr(self.config.objective, "rrr", None) is not None:
            mixed = _with_pixel_gradients(mixed)
        output = forward(mixed[0].batch.images_BCHW)
        terms = join_terms([weighted(self.objective(output, head, each.batch), each.batch) for each in mixed], mixed)
        if self.group_dro is not None:
            terms = self.group_dro.weigh(terms, batch, context.world_size)
        mean = reduce_terms(terms)
        sums = {
            "loss": mean.detach() * len(batch),
            "accuracy": (output.logits.argmax(1) == main_labels(mixed)).sum(),
        }
        if len(terms) > 1:
            sums |= {name: term_B.detach().sum() for name, term_B in terms.items()}
        # Of a full share, also where images were skipped: every image then weighs the same on all workers.
        return TaskLoss(mean, len(batch) / (self.config.training.batch_size // context.world_size), sums)

    def check_first_epoch(self, loss: float, *, num_images: int, num_unmasked: int) -> None:  # noqa: ARG002
        needs = mask_needs(self.config.objective)
        if needs and num_unmasked == num_images:
            raise ConfigError(
                f"{' and '.join(needs)} {'needs' if len(needs) == 1 else 'need'} masks, and not one of the "
                f"{num_images} training images of epoch 1 showed an object in its mask; check the mask files, or set "
                f"{' and '.join(needs.values())}"
            )

    def network_to_evaluate(
        self,
        model: Classifier,
        epoch: int,  # noqa: ARG002
        data: DataBundle,  # noqa: ARG002
        context: RunContext,  # noqa: ARG002
    ) -> tuple[Classifier | None, Row]:
        return model, {} if self.group_dro is None else self.group_dro.metrics()

    def training_state(self) -> dict[str, Any]:
        return {} if self.group_dro is None else {"group_dro": self.group_dro.state()}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        if self.group_dro is not None:
            self.group_dro.load(state["group_dro"])

    def state(self, evaluated: Classifier | None) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def weights_to_evaluate(self, state: Mapping[str, Any]) -> Mapping[str, Tensor] | None:
        weights: Mapping[str, Tensor] = state["evaluated"] or state["model"]
        return weights

    def restore(self, model: Classifier, weights: Mapping[str, Tensor]) -> Classifier:
        model.load_state_dict(weights)
        return model

    def describe(self, built: BuiltModel) -> dict[str, Any]:
        return built.describe()


def _with_pixel_gradients(mixed: list[MixedBatch]) -> list[MixedBatch]:
    """Return the mixed batches with images, which they share, that require a gradient."""
    images_BCHW = mixed[0].batch.images_BCHW.detach().requires_grad_()
    return [each._replace(batch=replace(each.batch, images_BCHW=images_BCHW)) for each in mixed]
