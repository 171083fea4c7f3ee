"""Accuracy on labelled pictures from elsewhere."""

from trainables.evaluations.accuracy import top1
from trainables.evaluations.base import EvalSpec, Metrics, Subject


def _run(subject: Subject) -> Metrics:
    metrics = {}
    for name, pictures in subject.data.shift.items():
        predictions = subject.predictions(pictures)
        metrics[f"shift/{name}/accuracy"] = top1(predictions.logits_NK, predictions.labels_N)
    return metrics


SHIFT = EvalSpec(
    name="shift",
    category="shift",
    directions={"shift/*/accuracy": "max"},
    run=_run,
    needs=frozenset({"shift"}),
)
