"""Which metrics a page shows, under which heading, what they mean, and their values in a trial.

The evaluations import torch, which a leaderboard does not need: the functions that ask them import them.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.results.trial_rows import TrialRow

VAL_ACCURACY = "val/accuracy"
MEAN_AVERAGE_PRECISION = "val/mean_average_precision"
INFLUENCE_SHARE = "background/influence_share"
LOGIT_ERROR = "faithfulness/max_logit_error"
KEY_METRICS = (VAL_ACCURACY, MEAN_AVERAGE_PRECISION, "shift/*/accuracy", INFLUENCE_SHARE, LOGIT_ERROR)
"""Metric names, or patterns with `*`, in the order in which they are shown."""
HEADLINES = (
    *KEY_METRICS,
    "background/rfs",
    "background/only_fg",
    "background/mixed_rand",
    "background/gap",
    "background/worst_group",
    "localisation/contrastive_iou",
    "attribution/hirescam/pixel_flipping_normalised",
    "ood/near/energy/auroc",
    "ood/far/energy/auroc",
    "adversarial/autoattack/*",
    "adversarial/masking/suspected",
)
"""Metrics of the whole suite, in the order in which they are shown first."""

MEANINGS = {
    VAL_ACCURACY: "share of the validation images classified correctly",
    MEAN_AVERAGE_PRECISION: "mean over the classes of how well a class is separated from images without it",
    "shift/*/accuracy": "share classified correctly on a test set that differs from the training images",
    INFLUENCE_SHARE: "share of the ContrastiveCAMs' absolute values that lies on the background",
    LOGIT_ERROR: "largest gap between a logit and the sum of its map; near zero, the maps are exact",
    "background/rfs": "relative sensitivity to noise on the object; -1 where only the background decides, 1 where the "
    "object does",
    "background/only_fg": "accuracy on objects cut out on black",
    "background/mixed_rand": "accuracy on objects on the background of an image of a random class",
    "background/gap": "accuracy lost when the background is no longer of the object's own class",
    "background/worst_group": "accuracy on the worst combination of class and background",
    "localisation/contrastive_iou": "overlap of the ContrastiveCAM's strong region with the object",
    "attribution/hirescam/pixel_flipping_normalised": "share of the class's probability left, on average, as the most "
    "relevant pixels turn black",
    "ood/near/energy/auroc": "probability that an out-of-distribution image, from a set like the training images, "
    "scores below one of the data set",
    "ood/far/energy/auroc": "the same for sets unlike the training images",
    "adversarial/autoattack/*": "accuracy after the four attacks of AutoAttack",
    "adversarial/masking/suspected": "1 where masked gradients may make the attacks look weaker than they are",
}
TITLES = {
    "accuracy": "Accuracy",
    "background": "Background reliance",
    "shift": "Shift",
    "attribution": "Attribution quality",
    "ood": "Out of distribution",
    "adversarial": "Adversarial",
    "images": "Images",
    "other": "Other metrics",
}
"""Category of the evaluations -> heading, in the order of the page."""


def key_metrics(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> list[str]:
    """Return the goals' metrics, then the other key metrics that some row has."""
    names = sorted({name for row in rows for name in row["metrics"]})
    found = [name for pattern in KEY_METRICS for name in names if fnmatchcase(name, pattern)]
    return list(dict.fromkeys([goal.metric for goal in goals] + found))


def accuracies(rows: Sequence[TrialRow]) -> list[str]:
    """Return validation accuracy and each shifted accuracy, as far as some row has them."""
    return [name for name in key_metrics(rows, ()) if name.endswith("/accuracy")]


def meaning(metric: str) -> str:
    """Return what the metric means; empty for one without an entry."""
    return next((text for pattern, text in MEANINGS.items() if fnmatchcase(metric, pattern)), "")


def better_direction(metric: str, goals: Sequence[SweepGoal]) -> Literal["max", "min"] | None:
    """Return the direction a goal gives the metric, or else that of its evaluation."""
    from trainables.evaluations import direction

    return next((goal.direction for goal in goals if goal.metric == metric), direction(metric))


def category_of_metric(metric: str) -> str:
    """Return the category of the evaluation that reports `metric`, or else what its name begins with."""
    from trainables.evaluations import EVALUATIONS

    reported = (
        spec.category
        for spec in EVALUATIONS.values()
        if any(fnmatchcase(metric, pattern) for pattern in spec.directions)
    )
    return next(reported, _known(metric.partition("/")[0]))


def category_of_evaluation(evaluation: str) -> str:
    """Return the category of the evaluation of that name."""
    from trainables.evaluations import EVALUATIONS

    return EVALUATIONS[evaluation].category if evaluation in EVALUATIONS else _known(evaluation.partition("-")[0])


def _known(name: str) -> str:
    return name if name in TITLES else "other"
