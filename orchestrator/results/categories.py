"""Under which heading of a page a metric or a part of an evaluation stands."""

from fnmatch import fnmatchcase

from trainables.evaluations import EVALUATIONS

TITLES = {
    "accuracy": "Accuracy and calibration",
    "background": "Object and background",
    "shift": "Other test sets",
    "attribution": "How good its maps are",
    "ood": "Images of no class",
    "adversarial": "Under attack",
    "images": "Galleries and mean maps",
    "other": "Other figures",
}
"""Category of the evaluations -> heading, in the order of the page."""


def category_of_metric(metric: str) -> str:
    """Return the category of the evaluation that reports `metric`, or else what its name begins with."""
    reported = (
        spec.category
        for spec in EVALUATIONS.values()
        if any(fnmatchcase(metric, pattern) for pattern in spec.directions)
    )
    return next(reported, _known(metric.partition("/")[0]))


def category_of_part(part: str) -> str:
    """Return the category of the evaluation of that name."""
    return EVALUATIONS[part].category if part in EVALUATIONS else _known(part.partition("-")[0])


def _known(name: str) -> str:
    return name if name in TITLES else "other"
