"""Metrics of several runs side by side, by category and group, as text for a page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from orchestrator.results.evaluated import EvaluatedRun
from orchestrator.results.formatting import SMALLEST_SHOWN, format_difference, format_metric, shown_error
from orchestrator.results.metric_catalogue import HEADLINES, TITLES, category_of_metric, meaning
from orchestrator.results.run_differences import RunDifference, shared_metrics
from trainables.evaluations import direction
from trainables.metric_names import without_split

ARROWS = {"max": "↑", "min": "↓", None: ""}
MAX_OPEN = 30
"""Lines above which a category's groups are folded."""
Differences = Mapping[tuple[str, str], RunDifference]
"""By metric and run."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The value of a metric in a run."""

    text: str
    error: str
    """The standard error of an accuracy, or empty."""
    is_best: bool
    difference: str = ""
    verdict: str = ""
    paired: str = ""
    num_pictures: int | None = None
    """Images that `paired` is over."""


@dataclass(frozen=True, slots=True)
class Line:
    """A metric, and its value in each run."""

    metric: str
    label: str
    meaning: str
    arrow: str
    better: str
    """`higher is better`, `lower is better` or empty."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Lines whose names, without their split, share the first two components."""

    name: str
    """The second component, and the split where it is validation; empty where the names have no third."""
    lines: tuple[Line, ...]

    @property
    def has_paired(self) -> bool:
        return any(cell.paired for line in self.lines for cell in line.cells)


@dataclass(frozen=True, slots=True)
class Table:
    """The groups of a category."""

    groups: tuple[Group, ...]

    @property
    def is_folded(self) -> bool:
        return sum(len(group.lines) for group in self.groups) > MAX_OPEN

    @property
    def has_paired(self) -> bool:
        return any(group.has_paired for group in self.groups)


def tables(runs: Sequence[EvaluatedRun], differences: Sequence[RunDifference]) -> dict[str, Table]:
    """Return by category the table of its metrics."""
    by_name = _by_name(differences)
    by_category: dict[str, dict[str, list[Line]]] = {}
    for metric in shared_metrics(runs):
        name, label = _group(metric)
        group = by_category.setdefault(category_of_metric(metric), {}).setdefault(name, [])
        group.append(_line(metric, label, runs, by_name))
    return {
        category: Table(tuple(Group(name, tuple(lines)) for name, lines in by_category[category].items()))
        for category in TITLES
        if category in by_category
    }


def _group(metric: str) -> tuple[str, str]:
    """Return the group of a metric, which says where it is of the validation images, and its label there."""
    name, split = without_split(metric)
    _, _, rest = name.partition("/")
    group, _, label = rest.partition("/")
    if not label:
        return "", metric
    return f"{group} (validation)" if split == "val" else group, label


def headlines(runs: Sequence[EvaluatedRun], differences: Sequence[RunDifference]) -> Group:
    """Return the lines of the most important metrics, in their own order."""
    return lines_of(runs, differences, HEADLINES)


def lines_of(runs: Sequence[EvaluatedRun], differences: Sequence[RunDifference], patterns: Sequence[str]) -> Group:
    """Return the lines of the metrics that match a pattern, in the order of the patterns."""
    shared, by_name = shared_metrics(runs), _by_name(differences)
    chosen = dict.fromkeys(name for pattern in patterns for name in shared if fnmatchcase(name, pattern))
    return Group("", tuple(_line(metric, metric, runs, by_name) for metric in chosen))


def _by_name(differences: Iterable[RunDifference]) -> Differences:
    return {(difference.metric, difference.run): difference for difference in differences}


def _line(metric: str, label: str, runs: Sequence[EvaluatedRun], differences: Differences) -> Line:
    better = direction(metric)
    best = best_values([run.metrics.get(metric) for run in runs], better)
    return Line(
        metric=metric,
        label=label,
        meaning=meaning(metric),
        arrow=ARROWS[better],
        better={"max": "higher is better", "min": "lower is better", None: ""}[better],
        cells=tuple(
            _cell(run, metric, is_best, differences.get((metric, run.name)))
            for run, is_best in zip(runs, best, strict=True)
        ),
    )


def best_values(values: Sequence[float | None], better: str | None) -> list[bool]:
    """Return which values are the best to three decimals; none where all are the same or neither way is better."""
    known = [value for value in values if value is not None]
    if better is None or not known or max(known) - min(known) < SMALLEST_SHOWN:
        return [False] * len(values)
    best = max(known) if better == "max" else min(known)
    return [value is not None and abs(value - best) < SMALLEST_SHOWN for value in values]


def _cell(run: EvaluatedRun, metric: str, is_best: bool, difference: RunDifference | None) -> Cell:
    text, error = format_metric(run.metrics.get(metric)), shown_error(run.row, metric)
    if difference is None:
        return Cell(text, error, is_best)
    paired = difference.paired
    return Cell(
        text,
        error,
        is_best,
        difference=format_difference(difference.difference),
        verdict=difference.verdict,
        paired=""
        if paired is None
        else f"{format_difference(paired.mean)} ({format_difference(paired.low)} to {format_difference(paired.high)})",
        num_pictures=paired.num_pictures if paired else None,
    )
