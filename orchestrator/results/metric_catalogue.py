"""Which metrics a page shows, under which heading, what they mean, and their values in a trial.

The evaluations import torch, which a leaderboard does not need: the functions that ask them import them.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.results.trial_rows import TrialRow
from trainables.metric_names import without_split

VAL_ACCURACY = "val/accuracy"
MEAN_AVERAGE_PRECISION = "val/mean_average_precision"
INFLUENCE_SHARE = "val/background/influence_share"
LOGIT_ERROR = "val/faithfulness/max_logit_error"
WORST_GROUP = "val/worst_group_accuracy"
KEY_METRICS = (
    VAL_ACCURACY,
    WORST_GROUP,
    MEAN_AVERAGE_PRECISION,
    "val/shift/*/accuracy",
    INFLUENCE_SHARE,
    LOGIT_ERROR,
    "test/accuracy",
    "test/worst_group_accuracy",
    "test/mean_average_precision",
    "shift/*/accuracy",
    "test/background/influence_share",
)
"""Metric names, or patterns with `*`, in the order in which they are shown."""
HEADLINES = (
    *KEY_METRICS,
    "*/group_gap/*",
    "*/background/rfs",
    "*/background/only_fg",
    "*/background/mixed_rand",
    "*/background/gap",
    "*/localisation/contrastive_iou",
    "*/attribution/hirescam/pixel_flipping_normalised",
    "*/ood/near/energy/auroc",
    "*/ood/far/energy/auroc",
    "*/adversarial/autoattack/*",
    "*/adversarial/masking/suspected",
    "*/channels/effective_number",
    "*/channels/background_share",
    "*/circuits/background_share",
    "*/circuits/background_nodes",
)
"""Metrics of the whole suite, in the order in which they are shown first."""

SPLIT_MEANINGS = {"val": "validation images", "test": "test images", None: ""}
MEANINGS = {
    "accuracy": "share of the images classified correctly",
    "worst_group_accuracy": "accuracy on the worst group, such as the images whose background belongs to another class",
    "worst_group_size": "number of images of that group",
    "group_adjusted_size": "number of images of which a plain accuracy would have the same standard error",
    "group_gap/*": "accuracy where the background, or what else makes groups, is uncommon for the class, less the "
    "accuracy in distribution",
    "mean_average_precision": "mean over the classes of how well a class is separated from images without it",
    "shift/corruption/accuracy": "share classified correctly under noise, blur, other light and lost detail",
    "shift/*/accuracy": "share classified correctly on a set that differs from the training images",
    "background/influence_share": "share of the ContrastiveCAMs' absolute values that lies on the background",
    "faithfulness/max_logit_error": "largest gap between a logit and the sum of its map; near zero, the maps are exact",
    "background/rfs": "relative sensitivity to noise on the object; -1 where only the background decides, 1 where the "
    "object does",
    "background/only_fg": "accuracy on objects cut out on black",
    "background/mixed_rand": "accuracy on objects on the background of an image of a random class",
    "background/gap": "accuracy lost when the background is no longer of the object's own class",
    "localisation/contrastive_iou": "overlap of the ContrastiveCAM's strong region with the object",
    "attribution/hirescam/pixel_flipping_normalised": "share of the class's probability left, on average, as the most "
    "relevant pixels turn black",
    "ood/near/energy/auroc": "probability that an out-of-distribution image, from a set like the training images, "
    "scores below one of the data set",
    "ood/far/energy/auroc": "the same for sets unlike the training images",
    "adversarial/autoattack/*": "accuracy after the four attacks of AutoAttack",
    "channels/effective_number": "number of channels that decide between an image's class and its rival",
    "channels/background_share": "share of the channels' contributions to that decision that lies on the background",
    "concepts/r2": "share of the features' variance that the concepts reconstruct",
    "concepts/background_share": "share of the concepts' importance that lies on the background",
    "gap/accuracy": "accuracy on the sampled images",
    "gap/accuracy_lost": "accuracy on training images less that",
    "gap/background_lost_share": "share of the margin lost since training that is lost on the background",
    "circuits/background_share": "share of the margin lost to another class's background, of that lost to it and to "
    "another class's object",
    "circuits/background_nodes": "number of channels that carry four fifths of what another background takes",
    "adversarial/masking/suspected": "1 where masked gradients may make the attacks look weaker than they are",
}
TITLES = {
    "accuracy": "Accuracy",
    "background": "Background reliance",
    "shift": "Shift",
    "attribution": "Attribution quality",
    "ood": "Out of distribution",
    "adversarial": "Adversarial",
    "inside": "Inside the network",
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
    """Return the accuracy of validation, test and shifted sets, as far as some row has them."""
    return [name for name in key_metrics(rows, ()) if name.endswith("/accuracy")]


def meaning(metric: str) -> str:
    """Return what the metric means, and of which split it is; empty for one without an entry."""
    name, split = without_split(metric)
    text = next((text for pattern, text in MEANINGS.items() if fnmatchcase(name, pattern)), "")
    return f"{text}; {SPLIT_MEANINGS[split]}" if text and split else text


def better_direction(metric: str, goals: Sequence[SweepGoal]) -> Literal["max", "min"] | None:
    """Return the direction a goal gives the metric, or else that of its evaluation."""
    from trainables.evaluations import direction

    return next((goal.direction for goal in goals if goal.metric == metric), direction(metric))


def category_of_metric(metric: str) -> str:
    """Return the category of the evaluation that reports `metric`, or else what its name begins with."""
    from trainables.evaluations import EVALUATIONS

    name, _ = without_split(metric)
    reported = (
        spec.category for spec in EVALUATIONS.values() if any(fnmatchcase(name, pattern) for pattern in spec.directions)
    )
    return next(reported, _known(name.partition("/")[0]))


def category_of_evaluation(evaluation: str) -> str:
    """Return the category of the evaluation of that name."""
    from trainables.evaluations import EVALUATIONS

    return EVALUATIONS[evaluation].category if evaluation in EVALUATIONS else _known(evaluation.partition("-")[0])


def _known(name: str) -> str:
    return name if name in TITLES else "other"
