"""How much of the ContrastiveCAMs' influence lies on the background, by the masks."""

import math

from torch import Tensor

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.result import EvaluationResult, Metrics, by_image


def influence_shares(foreground_N: Tensor, background_N: Tensor) -> Metrics:
    """Return the mean influence on object and background, and the background's share of their sum.

    A network whose maps are zero relies on nothing, so that its share is nan and not the best there is.

    Args:
        foreground_N: `sum_k sum_ij |CC_(c,k)|` on the object for each image with a mask.
        background_N: The same on the background.
    """
    foreground, background = foreground_N.mean().item(), background_N.mean().item()
    total = foreground + background
    return {
        "background/influence_share": background / total if total else math.nan,
        "background/foreground_influence": foreground,
        "background/background_influence": background,
    }


def _run(context: EvaluationContext) -> EvaluationResult:
    predictions = context.evaluated
    has_mask_N = predictions.has_mask_N
    return EvaluationResult(
        influence_shares(predictions.foreground_N[has_mask_N], predictions.background_N[has_mask_N]),
        settings={"num_pictures": int(has_mask_N.sum()), "num_without_mask": int((~has_mask_N).sum())},
        samples={
            "background/foreground_influence": by_image(predictions.ids, predictions.foreground_N),
            "background/background_influence": by_image(predictions.ids, predictions.background_N),
        },
    )


INFLUENCE = EvalSpec(
    name="influence",
    category="background",
    directions={
        "background/influence_share": "min",
        "background/foreground_influence": None,
        "background/background_influence": None,
    },
    run=_run,
    needs=frozenset({"masks"}),
    definition=2,  # 1 had masks that were not aligned with their images.
)
