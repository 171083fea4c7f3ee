"""What an evaluation is: a name, what it needs, and a function from a trained network to metrics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch

from trainables.data import DataBundle, PictureSet, evaluation_batches
from trainables.evaluations.predictions import Gather, NoPictureError, Predictions, predict
from trainables.models import Classifier

Metrics = dict[str, float]
Direction = Literal["max", "min"]
Need = Literal["masks", "shift"]


@dataclass(frozen=True)
class Subject:
    """A trained network and the data it is evaluated on.

    With several workers each predicts its share, and `gather` hands every worker the whole.
    """

    model: Classifier
    data: DataBundle
    device: torch.device
    batch_size: int
    processes: int = 0
    rank: int = 0
    world_size: int = 1
    gather: Gather = lambda value: [value]

    @cached_property
    def validation(self) -> Predictions:
        """The predictions on the validation set, made once for all evaluations; NoPictureError if none is readable."""
        try:
            return self.predictions(self.data.val)
        except NoPictureError as error:
            raise NoPictureError(f"data: the validation set has {error}") from error

    def predictions(self, pictures: PictureSet) -> Predictions:
        batches = evaluation_batches(
            pictures,
            batch_size=self.batch_size,
            rank=self.rank,
            world_size=self.world_size,
            processes=self.processes,
            pin_memory=self.device.type == "cuda",
        )
        return predict(self.model, batches, device=self.device, gather=self.gather)

    def offers(self, need: Need) -> bool:
        """Return whether this subject has what an evaluation may need."""
        return bool(self.data.shift) if need == "shift" else bool(self.validation.has_mask_N.any())


@dataclass(frozen=True)
class EvalSpec:
    """One evaluation of the suite."""

    name: str
    category: Literal["accuracy", "background", "shift"]
    directions: Mapping[str, Direction]
    """Metric name, or pattern with `*`, to the direction in which it is better."""
    run: Callable[[Subject], Metrics]
    needs: frozenset[Need] = frozenset()
