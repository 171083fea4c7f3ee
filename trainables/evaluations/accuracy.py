"""Accuracy, cross-entropy, calibration and the certificate of the maps.

N samples, K classes.
"""

import logging

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.predictions import Predictions
from trainables.evaluations.result import EvaluationResult, Metrics, by_image

LARGEST_LOGIT_ERROR = 1e-4
"""Above it the maps are no longer called exact."""

logger = logging.getLogger(__name__)


def top1(logits_NK: Tensor, labels_N: Tensor) -> float:
    """Return the share of samples whose highest logit is the label's."""
    return (logits_NK.argmax(1) == labels_N).float().mean().item()


def calibration_error(logits_NK: Tensor, labels_N: Tensor, *, num_bins: int = 15) -> float:
    """Return the expected calibration error `sum_b |B_b|/N * |acc(B_b) - conf(B_b)|` (Guo et al. 2017, eq. 3).

    Bin b of the `num_bins` of equal width holds the confidences in `((b-1)/num_bins, b/num_bins]`. It is computed in
    float64; torchmetrics has float32.
    """
    confidences_N, classes_N = logits_NK.double().softmax(1).max(1)
    bins_N = (confidences_N * num_bins).ceil().long().clamp(1, num_bins) - 1
    gaps_N = (classes_N == labels_N).double() - confidences_N
    return gaps_N.new_zeros(num_bins).index_add(0, bins_N, gaps_N).abs().sum().item() / len(labels_N)


def _run(context: EvaluationContext) -> EvaluationResult:
    predictions = context.evaluated
    logit_error = predictions.logit_error_N.max().item()
    if logit_error > LARGEST_LOGIT_ERROR:
        logger.warning(
            "maps and logits differ by up to %.1e, over %.0e, since a float32 has seven digits and the logits reach "
            "%.1e; a training that diverges has such logits: lower optim.learning_rate or set training.clip_norm",
            logit_error,
            LARGEST_LOGIT_ERROR,
            predictions.logits_NK.abs().max().item(),
        )
    metrics = {
        **_probabilities(predictions),
        "accuracy": top1(predictions.logits_NK, predictions.labels_N),
        "faithfulness/max_logit_error": logit_error,
    }
    return EvaluationResult(
        metrics,
        settings={"num_pictures": len(predictions.labels_N)},
        samples={"accuracy": by_image(predictions.ids, predictions.correct)},
    )


def _probabilities(predictions: Predictions) -> Metrics:
    """Return the cross-entropy, and the calibration where probabilities are those of a softmax."""
    logits_NK, labels_N = predictions.logits_NK, predictions.labels_N
    if predictions.by_class is not None:
        loss_NK = binary_cross_entropy_with_logits(logits_NK, predictions.by_class.targets_NK, reduction="none")
        return {"loss": loss_NK.sum(1).mean().item()}
    return {
        "loss": cross_entropy(logits_NK, labels_N).item(),
        "calibration_error": calibration_error(logits_NK, labels_N),
    }


ACCURACY = EvalSpec(
    name="accuracy",
    category="accuracy",
    directions={
        "loss": "min",
        "accuracy": "max",
        "calibration_error": "min",
        "faithfulness/max_logit_error": "min",
    },
    run=_run,
)
