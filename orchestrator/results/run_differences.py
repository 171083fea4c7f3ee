"""How runs differ from the first of them, metric by metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.results.accuracy_error import is_noise
from orchestrator.results.evaluated import EvaluatedRun
from orchestrator.results.formatting import SMALLEST_SHOWN
from orchestrator.results.intervals import PairedDifference, paired_difference
from trainables.evaluations import direction

Samples = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class RunDifference:
    """A metric of a run minus that of the first run."""

    metric: str
    better: Literal["max", "min"] | None
    run: str
    against: str
    difference: float
    paired: PairedDifference | None
    """Over the images for which both have a value; for metrics of maps, over those that both predict right."""
    is_noise: bool = False
    """Whether both are accuracies that do not differ beyond noise, their images taken as independent."""
    has_few: bool = False
    """Whether too few images have a value for both, or come from too few sources, for a paired difference."""

    @property
    def verdict(self) -> Literal["better", "worse", ""]:
        """Better or worse, by the paired difference where there is one; empty where the difference may be zero."""
        if self.paired is None:
            return "" if self.is_noise or self.has_few else verdict(self.difference, self.better)
        return "" if self.paired.contains_zero else verdict(self.paired.mean, self.better)


def verdict(difference: float | None, better: str | None) -> Literal["better", "worse", ""]:
    """Return what a difference means where `better` is max or min."""
    if difference is None or better is None or abs(difference) < SMALLEST_SHOWN:
        return ""
    return "better" if (difference > 0) == (better == "max") else "worse"


def shared_metrics(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Return the metrics that two runs or more have, or the only run has, by name."""
    counts: dict[str, int] = {}
    for run in runs:
        for metric, value in run.metrics.items():
            counts[metric] = counts.get(metric, 0) + (value is not None)
    return sorted(metric for metric, count in counts.items() if count >= min(2, len(runs)))


def run_differences(runs: Sequence[EvaluatedRun]) -> list[RunDifference]:
    """Return each further run's differences from the first, in the order of the metrics and of the runs."""
    first, *others = runs
    samples = {run.name: run.samples() for run in runs}
    return [
        found
        for metric in shared_metrics(runs)
        for run in others
        if (found := _difference(metric, run, first, samples)) is not None
    ]


def _difference(
    metric: str, run: EvaluatedRun, first: EvaluatedRun, samples: Mapping[str, Samples]
) -> RunDifference | None:
    ours, theirs = run.metrics.get(metric), first.metrics.get(metric)
    if ours is None or theirs is None:
        return None
    are_same = run.digest_of_images(metric) == first.digest_of_images(metric)
    values, others = (samples[each.name].get(metric, {}) if are_same else {} for each in (run, first))
    paired = paired_difference(values, others, run.sources(metric))
    return RunDifference(
        metric=metric,
        better=direction(metric),
        run=run.name,
        against=first.name,
        difference=ours - theirs,
        paired=paired,
        is_noise=is_noise(run.row, first.row, metric),
        has_few=paired is None and bool(values and others),
    )
