"""What is measured of a network's concepts, image by image.

Deleting concept j from an image subtracts its importance from the logits, exactly; what the concepts do not
reconstruct stays. N images, J concepts, K classes, L = J + 1 numbers of deleted concepts.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from trainables.data import Batch
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.concepts.importance import (
    background_shares,
    margin_importance,
    margin_weights,
    reconstructed_logits,
)
from trainables.evaluations.concepts.readings import Readings
from trainables.evaluations.result import Curve

NUM_RANDOM = 10
"""Random orders in which concepts are deleted, over which the curve is averaged."""


def by_metric(
    readings: Readings, head_JK: Tensor, bias_K: Tensor | None, batch: Batch, deletions: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """Return by metric each image's value, nan for one without.

    Args:
        readings: Of the images.
        head_JK: What one unit of each concept adds to each logit.
        bias_K: The head's.
        batch: The images.
        deletions: Those of `delete_concepts`.
    """
    rebuilt_N = reconstructed_logits(readings.amounts, head_JK, bias_K).argmax(1)
    kept_NL, random_NL = deletions
    found = {
        "concepts/accuracy": (rebuilt_N == batch.labels_B).double(),
        "concepts/agreement": (rebuilt_N == readings.predicted).double(),
        "concepts/deletion_auc": area_under(kept_NL),
        "concepts/deletion_auc_random": area_under(random_NL),
    }
    if not batch.has_mask_B.any():
        return found
    weights_NJ = margin_weights(head_JK, readings.predicted, readings.rivals)
    shares_N = background_shares(readings.activations_NJHW, weights_NJ, readings.background_NHW)
    shares_N = torch.where(batch.has_mask_B, shares_N, torch.nan)
    return found | {
        "concepts/background_share": shares_N,
        "concepts/background_excess": shares_N - readings.background_NHW.mean((1, 2)),
    }


def means(values: Mapping[str, Tensor]) -> dict[str, float]:
    """Return each metric's mean over the images that have a value."""
    return {name: values_N.nanmean().item() for name, values_N in values.items()}


def delete_concepts(context: EvaluationContext, readings: Readings, head_JK: Tensor) -> tuple[Tensor, Tensor]:
    """Return which predictions are kept as concepts are deleted, NL.

    Those that add most to the margin of the predicted class go first; in the second curve the order is random, and
    it is the mean over `NUM_RANDOM` orders.
    """
    logits_NK, amounts_NJ = readings.logits_NK, readings.amounts
    margin_NJ = margin_importance(amounts_NJ, head_JK, readings.predicted, readings.rivals)
    kept_NL = deletion_curve(logits_NK, amounts_NJ, head_JK, margin_NJ.argsort(descending=True, stable=True))
    generator = context.generator("concepts/orders")
    orders = (random_orders(amounts_NJ, generator) for _ in range(NUM_RANDOM))
    random = [deletion_curve(logits_NK, amounts_NJ, head_JK, order_NJ) for order_NJ in orders]
    return kept_NL, torch.stack(random).double().mean(0)


def deletion_curve(logits_NK: Tensor, amounts_NJ: Tensor, head_JK: Tensor, order_NJ: Tensor) -> Tensor:
    """Return whether each image is still predicted as by the whole network after 0 to J deletions, bool NL.

    Args:
        logits_NK: Those of the whole network.
        amounts_NJ: Mean activation of an image's cells.
        head_JK: What one unit of each concept adds to each logit.
        order_NJ: The concepts of each image, the first to be deleted first.
    """
    predicted_N = logits_NK.argmax(1)
    left_NJ = amounts_NJ.clone()
    kept = [torch.ones_like(predicted_N, dtype=torch.bool)]
    for concepts_N in order_NJ.T:
        left_NJ.scatter_(1, concepts_N.unsqueeze(1), 0)
        kept.append((logits_NK - (amounts_NJ - left_NJ) @ head_JK).argmax(1) == predicted_N)
    return torch.stack(kept, 1)


def area_under(kept_NL: Tensor) -> Tensor:
    """Return the area under each image's curve over the share of deleted concepts, in [0, 1], N."""
    return torch.trapezoid(kept_NL.double(), dx=1 / (kept_NL.shape[1] - 1), dim=1)


def random_orders(like_NJ: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random order of the concepts for each image, of the shape of another NJ."""
    return torch.rand(like_NJ.shape, generator=generator).argsort(1)


def curves(deletions: tuple[Tensor, Tensor]) -> tuple[Curve, ...]:
    """Return the mean curves of `delete_concepts`."""
    names = ("most important first", "random order")
    return tuple(
        Curve(
            chart="Concepts deleted",
            name=name,
            x_label="deleted concepts",
            y_label="share of the predictions that are kept",
            x=tuple(map(float, range(kept_NL.shape[1]))),
            y=tuple(kept_NL.double().mean(0).tolist()),
        )
        for name, kept_NL in zip(names, deletions, strict=True)
    )
