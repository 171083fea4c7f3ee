"""The evaluations there are, and how a suite of them is run."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from trainables.evaluations.accuracy import ACCURACY
from trainables.evaluations.background import BACKGROUND
from trainables.evaluations.base import Direction, EvalSpec, Metrics, Subject
from trainables.evaluations.shift import SHIFT

EVALUATIONS: dict[str, EvalSpec] = {spec.name: spec for spec in (ACCURACY, BACKGROUND, SHIFT)}


def run_suite(names: Iterable[str], subject: Subject, *, on_skip: Callable[[str], None] = lambda _: None) -> Metrics:
    """Run the named evaluations; one whose needs the data do not meet is skipped and said to `on_skip`."""
    metrics: Metrics = {}
    for name in names:
        spec = evaluation(name)
        missing = [need for need in sorted(spec.needs) if not subject.offers(need)]
        if missing:
            on_skip(f"{name}: skipped, the data have no {' and no '.join(missing)}")
            continue
        metrics |= spec.run(subject)
    return metrics


def evaluation(name: str) -> EvalSpec:
    """Return the evaluation of that name; ValueError lists the valid names."""
    if name not in EVALUATIONS:
        raise ValueError(f"no evaluation {name!r}; valid names: {', '.join(sorted(EVALUATIONS))}")
    return EVALUATIONS[name]


def direction(metric: str) -> Direction | None:
    """Return whether more or less of `metric` is better, or None where no evaluation reports it."""
    for spec in EVALUATIONS.values():
        for pattern, better in spec.directions.items():
            if fnmatchcase(metric, pattern):
                return better
    return None
