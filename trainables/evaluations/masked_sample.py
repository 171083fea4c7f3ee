"""The sampled images whose object is known, and a network's accuracy on changed versions of them.

N samples, B batch, C channels, H W image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.result import EvaluationResult, NotPossibleError, by_image

Change = Callable[[Tensor], Tensor]
"""From indices_B of a sample to the images images_BCHW that the network is shown in their place."""


@dataclass(frozen=True, eq=False)
class MaskedSample:
    """Images with an object, on the CPU."""

    ids: tuple[str, ...]
    images_NCHW: Tensor
    labels_N: Tensor
    object_NHW: Tensor
    """The object's share of each pixel: 1 minus the background, so that void pixels count as object."""
    settings: dict[str, Any]
    """What every evaluation on the sample reports."""

    def __len__(self) -> int:
        return len(self.labels_N)

    @property
    def indices(self) -> Tensor:
        return torch.arange(len(self))


def masked_sample(context: EvaluationContext) -> MaskedSample:
    """Return the sampled images that have a mask with an object; NotPossibleError where there is none."""
    batch = context.sampled
    object_NHW = 1 - batch.background_BHW
    kept_N = batch.has_mask_B & object_NHW.flatten(1).any(1)
    num_kept = int(kept_N.sum())
    if not num_kept:
        raise NotPossibleError(f"none of the {len(batch)} sampled images has a mask that shows an object")
    return MaskedSample(
        ids=tuple(batch.ids[index] for index in kept_N.nonzero().flatten()),
        images_NCHW=batch.images_BCHW[kept_N],
        labels_N=batch.labels_B[kept_N],
        object_NHW=object_NHW[kept_N],
        settings={
            "seed": context.settings.seed,
            "num_pictures": num_kept,
            "num_without_mask": len(batch) - num_kept,
        },
    )


def accuracies(
    context: EvaluationContext, sample: MaskedSample, changes: Mapping[str, tuple[Change, Tensor]]
) -> EvaluationResult:
    """Return by name the accuracy on changed images, nan where a change has none, and which of them are right.

    Args:
        changes: By the metric's name, the change and the indices_N of the images that it is shown on.
    """
    metrics, samples = {}, {}
    for done, (name, (change, indices_N)) in enumerate(changes.items(), start=1):
        hits_N = hits(context, sample, change, indices_N)
        metrics[name] = hits_N.double().mean().item()
        samples[name] = by_image((sample.ids[index] for index in indices_N), hits_N)
        context.tick(done, len(changes))
    return EvaluationResult(metrics, settings=sample.settings, samples=samples)


def hits(context: EvaluationContext, sample: MaskedSample, change: Change, indices_N: Tensor) -> Tensor:
    """Return whether the network predicts each changed image's label, bool N.

    `change` is called with consecutive chunks of `indices_N`, of at most a batch.
    """
    correct = [
        context.logits(change(indices_B)).argmax(1) == sample.labels_N[indices_B]
        for indices_B in context.chunks(indices_N)
        if len(indices_B)
    ]
    return torch.cat([torch.empty(0, dtype=torch.bool), *correct])
