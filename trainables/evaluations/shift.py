"""Accuracy, confidence and calibration on labelled images from elsewhere.

N samples, K classes.
"""

import logging
import math

from torch import Tensor

from trainables.evaluations.accuracy import calibration_error, top1
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.predictions import NoImageError
from trainables.evaluations.result import EvaluationResult, Metrics, by_image

logger = logging.getLogger(__name__)


def confidence(logits_NK: Tensor, labels_N: Tensor) -> Metrics:
    """Return the mean of the highest softmax probability, over all samples and over those that are wrong.

    Without a mistake the second is nan.
    """
    confidences_N, classes_N = logits_NK.double().softmax(1).max(1)
    wrong_N = classes_N != labels_N
    return {
        "confidence": confidences_N.mean().item(),
        "confidence_on_mistakes": confidences_N[wrong_N].mean().item() if wrong_N.any() else math.nan,
    }


def _run(context: EvaluationContext) -> EvaluationResult:
    metrics: Metrics = {}
    sizes, samples = {}, {}
    for name, images in context.shifted.items():
        try:
            predictions = context.predictions(images)
        except NoImageError as error:
            logger.warning("%s is left out: data.%s has %s", name, _field(name), error)
            continue
        logits_NK, labels_N = predictions.logits_NK, predictions.labels_N
        own = {
            "accuracy": top1(logits_NK, labels_N),
            **confidence(logits_NK, labels_N),
            "calibration_error": calibration_error(logits_NK, labels_N),
        }
        metrics |= {f"{name}/{key}": value for key, value in own.items()}
        sizes[name.rpartition("/")[2]] = len(labels_N)
        samples[f"{name}/accuracy"] = by_image(predictions.ids, predictions.correct)
        if len(labels_N) < len(images):
            metrics[f"{name}/skipped_samples"] = float(len(images) - len(labels_N))
    return EvaluationResult(metrics, settings={"num_pictures": sizes}, samples=samples)


def _field(name: str) -> str:
    """Return the config field of the set whose metrics begin with `name`."""
    return name.replace("val/shift/", "val_shift.").replace("shift/", "shift.")


SHIFT = EvalSpec(
    name="shift",
    category="shift",
    directions={
        "shift/only_bg*/accuracy": "min",  # these show no object
        "shift/no_fg/accuracy": "min",
        "shift/*/accuracy": "max",
        "shift/*/confidence": None,
        "shift/*/confidence_on_mistakes": "min",
        "shift/*/calibration_error": "min",
    },
    run=_run,
    needs=frozenset({"shifted set"}),
)
