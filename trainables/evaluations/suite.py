"""The registry of evaluations, and how a suite of them runs."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from trainables.config import ConfigError
from trainables.data import ImageError
from trainables.evaluations.accuracy import ACCURACY
from trainables.evaluations.adversarial import ATTACKED_MAPS, AUTOATTACK, FGSM, MASKING, PGD, SQUARE
from trainables.evaluations.attribution import ATTRIBUTION
from trainables.evaluations.base import Direction, EvalSpec, EvaluationContext
from trainables.evaluations.channels import CHANNELS
from trainables.evaluations.circuits import CIRCUITS
from trainables.evaluations.concepts import CONCEPTS
from trainables.evaluations.corruption import CORRUPTION
from trainables.evaluations.galleries import GALLERY, MEAN_INFLUENCE
from trainables.evaluations.gap import GAP
from trainables.evaluations.groups import GROUPS
from trainables.evaluations.influence import INFLUENCE
from trainables.evaluations.localisation import LOCALISATION
from trainables.evaluations.multilabel import MULTILABEL
from trainables.evaluations.noise import NOISE
from trainables.evaluations.ood import OOD
from trainables.evaluations.removal import REMOVAL
from trainables.evaluations.result import EvaluationResult, Metrics, NotPossibleError, on_split, with_sources
from trainables.evaluations.shift import SHIFT
from trainables.evaluations.swaps import SWAPS
from trainables.metric_names import SPLITS, Split, without_split

logger = logging.getLogger(__name__)

EVALUATIONS: dict[str, EvalSpec] = {
    spec.name: spec
    for spec in (
        ACCURACY,
        MULTILABEL,
        INFLUENCE,
        GROUPS,
        SHIFT,
        CORRUPTION,
        NOISE,
        REMOVAL,
        SWAPS,
        LOCALISATION,
        *ATTRIBUTION,
        OOD,
        FGSM,
        PGD,
        AUTOATTACK,
        SQUARE,
        MASKING,
        ATTACKED_MAPS,
        CHANNELS,
        CONCEPTS,
        CIRCUITS,
        GAP,
        GALLERY,
        MEAN_INFLUENCE,
    )
}

EPOCH_SUITE = ("accuracy", "multilabel", "influence", "groups")
"""What runs after every epoch."""
FINAL_SUITE = ("shift",)
"""What runs once a trial has been trained, on the validation split, or after every epoch with
`evaluation.shift_every_epoch`."""
QUICK = EPOCH_SUITE + FINAL_SUITE
"""What every trial is evaluated by."""


class EvaluationsFailedError(Exception):
    """Some evaluations raised errors; the others of the suite were run."""

    def __init__(self, metrics: Metrics, failures: Mapping[str, str]) -> None:
        super().__init__(metrics, failures)
        self.metrics = metrics
        """Of the evaluations that did not fail."""
        self.failures = failures
        """By evaluation, its error."""

    def __str__(self) -> str:
        return "; ".join(f"{name} failed with {reason}" for name, reason in self.failures.items())


class EvaluationStore(Protocol):
    """Where results of finished evaluations are stored."""

    def load(self, spec: EvalSpec) -> EvaluationResult | None: ...

    def save(self, spec: EvalSpec, result: EvaluationResult, seconds: float) -> None: ...


class ProgressListener:
    """Called as a suite progresses; this one does nothing."""

    def on_start(self, name: str) -> None: ...

    def on_tick(self, done: int, total: int) -> None: ...

    def on_end(self, name: str, seconds: float, *, stored: bool) -> None: ...

    def on_skip(self, name: str, reason: str) -> None: ...

    def on_fail(self, name: str, reason: str) -> None: ...


def run_suite(
    names: Iterable[str],
    context: EvaluationContext,
    *,
    listener: ProgressListener | None = None,
    store: EvaluationStore | None = None,
) -> Metrics:
    """Run the named evaluations and return their metrics together.

    An evaluation whose needs are not met is skipped; one that `store` holds is not run again. With a store, those
    after one that fails are run.

    Raises:
        EvaluationsFailedError: With a store, and after all evaluations: some failed.
    """
    listener = listener or ProgressListener()
    metrics: Metrics = {}
    failures: dict[str, str] = {}
    for spec in [evaluation(name) for name in names]:
        listener.on_start(spec.name)
        try:
            result = _stored_or_new(spec, context, listener, store)
        except NotPossibleError as reason:
            listener.on_skip(spec.name, str(reason))
        except _FailedError as error:
            failures[spec.name] = str(error)
            listener.on_fail(spec.name, str(error))
        else:
            metrics |= result.metrics
    if failures:
        raise EvaluationsFailedError(metrics, failures)
    return metrics


class _FailedError(Exception):
    """One evaluation raised an error, which the message names."""


def _stored_or_new(
    spec: EvalSpec, context: EvaluationContext, listener: ProgressListener, store: EvaluationStore | None
) -> EvaluationResult:
    """Return the stored result if it still holds, else run the evaluation and store its result."""
    started = time.monotonic()
    stored = store.load(spec) if store else None
    try:
        if stored and not spec.still_holds(context, stored):
            stored = None
        result = stored or on_split(_run(spec, context), context.split)
    except (NotPossibleError, ConfigError, ImageError):
        raise
    except Exception as error:
        if store is None:
            raise
        logger.debug("%s failed", spec.name, exc_info=True)
        raise _FailedError(f"{type(error).__name__}: {error}") from error
    seconds = time.monotonic() - started
    if store and stored is None:
        store.save(spec, with_sources(result, context.sources), seconds)
    listener.on_end(spec.name, seconds, stored=stored is not None)
    return result


def _run(spec: EvalSpec, context: EvaluationContext) -> EvaluationResult:
    missing = [need for need in sorted(spec.needs) if not context.offers(need)]
    if missing:
        raise NotPossibleError(f"the data have no {' and no '.join(missing)}")
    try:
        return spec.run(context)
    except ImportError as error:
        raise NotPossibleError(f"a package that it needs cannot be imported: {error}") from error


def select(suite: str) -> tuple[str, ...]:
    """Return the evaluations of `quick`, `full`, evaluations and categories, one or several joined by commas.

    Raises:
        ValueError: A name is none of these; the message lists the valid ones.
    """
    chosen = [member for name in suite.split(",") for member in _members(name.strip())]
    return tuple(name for name in EVALUATIONS if name in chosen)


def _members(name: str) -> Sequence[str]:
    if name == "quick":
        return QUICK
    if name == "full":
        return tuple(EVALUATIONS)
    if name in EVALUATIONS:
        return [name]
    by_category = [member for member, spec in EVALUATIONS.items() if spec.category == name]
    if by_category:
        return by_category
    categories = dict.fromkeys(spec.category for spec in EVALUATIONS.values())
    raise ValueError(
        f"no suite or evaluation {name!r}; valid: quick, full, the categories {', '.join(categories)}, "
        f"and the evaluations {', '.join(EVALUATIONS)}"
    )


def evaluation(name: str) -> EvalSpec:
    """Return the evaluation of that name; ValueError lists the valid names."""
    if name not in EVALUATIONS:
        raise ValueError(f"no evaluation {name!r}; valid names: {', '.join(sorted(EVALUATIONS))}")
    return EVALUATIONS[name]


def direction(metric: str) -> Direction | None:
    """Return whether more or less of `metric` is better; None where neither is, or no evaluation reports it."""
    name, split = without_split(metric)
    return next((better for pattern, better in _directions() if split and fnmatchcase(name, pattern)), None)


def reports(names: Iterable[str], metric: str, split: Split) -> bool:
    """Return whether one of the named evaluations reports `metric` of the split's images."""
    name, of = without_split(metric)
    return of == split and any(fnmatchcase(name, pattern) for each in names for pattern in evaluation(each).directions)


def is_evaluated(metric: str) -> bool:
    """Return whether some evaluation reports `metric`."""
    return any(reports(EVALUATIONS, metric, split) for split in SPLITS)


def _directions() -> Iterator[tuple[str, Direction | None]]:
    for spec in EVALUATIONS.values():
        yield from spec.directions.items()
