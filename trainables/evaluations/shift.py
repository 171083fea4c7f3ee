"""Accuracy on labelled pictures from elsewhere."""

import logging

from trainables.evaluations.accuracy import top1
from trainables.evaluations.base import EvalSpec, Metrics, Subject
from trainables.evaluations.predictions import NoPictureError

logger = logging.getLogger(__name__)


def _run(subject: Subject) -> Metrics:
    metrics: Metrics = {}
    for name, pictures in subject.data.shift.items():
        try:
            predictions = subject.predictions(pictures)
        except NoPictureError as error:
            logger.warning("shift/%s/accuracy is left out: data.shift.%s has %s", name, name, error)
            continue
        metrics[f"shift/{name}/accuracy"] = top1(predictions.logits_NK, predictions.labels_N)
        num_skipped = len(pictures) - len(predictions.labels_N)
        if num_skipped:
            metrics[f"shift/{name}/skipped_samples"] = float(num_skipped)
    return metrics


SHIFT = EvalSpec(
    name="shift",
    category="shift",
    directions={"shift/*/accuracy": "max"},
    run=_run,
    needs=frozenset({"shift"}),
)
