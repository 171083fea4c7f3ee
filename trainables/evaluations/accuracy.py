"""Accuracy, cross-entropy, calibration and the certificate of the maps on the validation set."""

from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import multiclass_calibration_error

from trainables.evaluations.base import EvalSpec, Metrics, Subject


def top1(logits_NK: Tensor, labels_N: Tensor) -> float:
    """Return the share of samples whose highest logit is the label's."""
    return (logits_NK.argmax(1) == labels_N).float().mean().item()


def calibration_error(logits_NK: Tensor, labels_N: Tensor, *, num_bins: int = 15) -> float:
    """Return the expected calibration error over equal-width confidence bins (Guo et al. 2017, eq. 3)."""
    error = multiclass_calibration_error(
        logits_NK.softmax(1), labels_N, num_classes=logits_NK.shape[1], n_bins=num_bins, validate_args=False
    )
    return float(error)


def _run(subject: Subject) -> Metrics:
    predictions = subject.validation
    logits_NK, labels_N = predictions.logits_NK, predictions.labels_N
    return {
        "val/loss": cross_entropy(logits_NK, labels_N).item(),
        "val/accuracy": top1(logits_NK, labels_N),
        "val/calibration_error": calibration_error(logits_NK, labels_N),
        "faithfulness/max_logit_error": predictions.logit_error_N.max().item(),
    }


ACCURACY = EvalSpec(
    name="accuracy",
    category="accuracy",
    directions={
        "val/loss": "min",
        "val/accuracy": "max",
        "val/calibration_error": "min",
        "faithfulness/max_logit_error": "min",
    },
    run=_run,
)
