"""What a trial learns, as the learner and the loop see it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from trainables.data import Batch, DataBundle
from trainables.models import BuiltModel, Classifier
from trainables.training.context import RunContext
from trainables.trial_folder import Row

Forward = Callable[[Tensor], Any]
"""From images_BCHW to what the trained network returns."""


@dataclass(frozen=True, slots=True)
class TaskLoss:
    """The loss of one micro-batch on this worker."""

    mean: Tensor
    """Over the images that it compares."""
    scale: float
    """Factor of `mean` in the backward pass: gradients are added over micro-batches and averaged over workers."""
    sums: dict[str, Tensor]
    """Sums over this worker's images, without a gradient: of `loss`, and of what else the task reports."""


class Task(Protocol):
    """What a trial learns: images to classes, or to embeddings from which a classifier is fitted."""

    @property
    def num_views(self) -> int:
        """How often each training image is drawn for a batch, augmented anew each time."""

    def trained_network(self, model: Classifier) -> nn.Module:
        """Return the network that takes the steps; further weights are drawn from torch's global generator."""

    def classifier(self, network: nn.Module) -> Classifier:
        """Return the classifier within a network that `trained_network` returned."""

    def begin(self, epoch: int) -> None:
        """Make ready for the steps of `epoch`; what then holds follows from the config and the epoch alone."""

    def loss(self, batch: Batch, forward: Forward, head: nn.Linear, context: RunContext) -> TaskLoss:
        """Return the loss of a micro-batch on the device; all workers call it together."""

    def check_first_epoch(self, loss: float, *, num_images: int, num_unmasked: int) -> None:
        """Raise ConfigError where the images of the first epoch had nothing to learn from."""

    def network_to_evaluate(
        self, model: Classifier, epoch: int, data: DataBundle, context: RunContext
    ) -> tuple[Classifier | None, Row]:
        """Return the network to validate after `epoch`, None where there is none, and metrics of how it was fitted.

        All workers call it together.
        """

    def training_state(self) -> dict[str, Any]:
        """Return what each step changes besides the network, for a checkpoint."""

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint with what `training_state` returned."""

    def state(self, evaluated: Classifier | None) -> dict[str, Any]:
        """Return what a checkpoint holds besides the learner's state."""

    def weights_to_evaluate(self, state: Mapping[str, Any]) -> Mapping[str, Tensor] | None:
        """Return the weights in a checkpoint of the network to evaluate; None where it has none."""

    def restore(self, model: Classifier, weights: Mapping[str, Tensor]) -> Classifier:
        """Return the network of those weights; it may be `model`, or share its trunk."""

    def describe(self, built: BuiltModel) -> dict[str, Any]:
        """Return what a trial's `model.json` says of the network to evaluate."""
