"""What came out of a study, read from its sweep's folder: means and spread over seeds, paired differences, budgets."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from orchestrator.files.study import Study
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.results.arm_settings import budget_sentence, changes, settings, tuning_sentence
from orchestrator.results.comparability import warnings
from orchestrator.results.evaluated import EvaluatedRun, read_run
from orchestrator.results.intervals import SeedDifference, difference_of_images, difference_of_values, holm
from orchestrator.results.study_document import (
    ArmMetric,
    ArmResult,
    Difference,
    Metric,
    StudyDocument,
    TrialOfArm,
    differences,
)
from orchestrator.results.trial_rows import BROKEN, TrialRow, read_row
from trainables.evaluations import direction
from trainables.metric_names import without_split

COMPLETED = "completed"
ENDED = {"failed": "failed", "stopped": "was stopped", "unfinished": "is unfinished", BROKEN: "cannot be read"}
"""Status of a trial that does not count -> verb of the sentence that says so."""
MEAN_TOLERANCE = 1e-5
"""How far float32 rounding may move a metric from the mean of its images' values."""


@dataclass(frozen=True)
class Trial:
    """One arm at one seed."""

    row: TrialRow
    run: EvaluatedRun
    error: str | None
    train_s: float

    @property
    def is_complete(self) -> bool:
        return self.row["status"] == COMPLETED

    def value(self, metric: str) -> float | None:
        """Return the finite value of a completed trial, or None."""
        found = self.row["metrics"].get(metric) if self.is_complete else None
        return found if found is not None and math.isfinite(found) else None

    def images(self, metric: str) -> dict[str, float]:
        """Return the values by image whose mean is the metric; empty where the metric is no mean of them."""
        mean, every = self.value(metric), self._all_images.get(metric)
        if mean is None or not every or not math.isclose(mean, statistics.fmean(every), abs_tol=MEAN_TOLERANCE):
            return {}
        return self._compared_images[metric]

    @cached_property
    def _all_images(self) -> dict[str, list[float]]:
        return {
            metric: [value for value in by_image.values() if value is not None]
            for evaluation in self.run.evaluations.values()
            for metric, by_image in evaluation.samples.items()
        }

    @cached_property
    def _compared_images(self) -> dict[str, dict[str, float]]:
        return self.run.samples()


Trials = Mapping[tuple[str, int], Trial]
"""By arm and seed."""


def study_document(sweep: SweepFolder) -> StudyDocument:
    """Return the result of the study that the sweep runs, from the trials that have completed."""
    config = sweep.config()
    study = config.study
    assert study is not None
    trials = {place: _read(sweep, trial_id) for trial_id, place in study.trials.items()}
    settings_of = {arm: settings(trials[arm, study.seeds[0]].row["config"]) for arm in study.arms}
    metrics = _shown(study, trials)
    document = StudyDocument(
        study=study.name,
        summary=study.summary,
        sweep=config.name,
        reference=study.compared_with,
        seeds=list(study.seeds),
        metrics=[Metric(metric=metric, better=better(metric)) for metric in metrics],
        arms=[_arm(study, arm, trials, metrics, settings_of) for arm in study.arms],
        tuning=None if study.tuning is None else tuning_sentence(study.tuning, settings_of),
        budget=budget_sentence(settings_of, study.compared_with),
        warnings=[*_missing(study, trials), *_incomparable(study, trials, metrics)],
    )
    _correct(differences(document))
    return document


def _correct(compared: Sequence[Difference]) -> None:
    """Fill in the p-values after Holm's correction for their number."""
    tested = [(found, p_value) for found in compared if (p_value := found.get("p_value")) is not None]
    for (found, _), corrected in zip(tested, holm([p_value for _, p_value in tested]), strict=True):
        found["p_value_holm"] = corrected


def better(metric: str) -> str | None:
    """Return whether a higher or a lower value is better; None where neither is."""
    return "max" if metric == "train/accuracy" else direction(metric)


def _read(sweep: SweepFolder, trial_id: str) -> Trial:
    folder = sweep.trial(trial_id)
    row = read_row(folder, trial_id)
    if row["status"] == BROKEN:
        return Trial(row, EvaluatedRun(row, evaluations={}, data={}), row["error"], train_s=0.0)
    outcome = folder.outcome()
    return Trial(
        row=row,
        run=read_run(folder, trial_id),
        error=outcome.error if outcome else None,
        train_s=sum(seconds for row in folder.rows() if math.isfinite(seconds := row.get("time/train_s", math.nan))),
    )


def _shown(study: Study, trials: Trials) -> list[str]:
    """Return the study's metrics in order, each pattern replaced by the metrics of some trial that match it."""
    known = sorted({name for trial in trials.values() for name in trial.row["metrics"]})
    found = [
        name
        for metric in study.metrics
        for name in ([name for name in known if fnmatchcase(name, metric)] if "*" in metric else [metric])
    ]
    return list(dict.fromkeys(found))


def _arm(
    study: Study, arm: str, trials: Trials, metrics: Sequence[str], settings_of: Mapping[str, Mapping[str, Any]]
) -> ArmResult:
    own = [trials[arm, seed] for seed in study.seeds]
    complete = [trial for trial in own if trial.is_complete]
    found = changes(settings_of[arm], settings_of[study.compared_with])
    return ArmResult(
        arm=arm,
        num_seeds=len(complete),
        train_s=statistics.fmean(trial.train_s for trial in complete) if complete else None,
        changes={field: list(pair) for field, pair in found.items()},
        trials=[
            TrialOfArm(
                trial_id=trial.row["trial_id"],
                seed=seed,
                status=trial.row["status"],
                epoch=trial.row["epoch"],
                error=trial.error,
            )
            for seed, trial in zip(study.seeds, own, strict=True)
        ],
        figures={metric: _metric(study, arm, trials, metric) for metric in metrics},
    )


def _metric(study: Study, arm: str, trials: Trials, metric: str) -> ArmMetric:
    known = {seed: trials[arm, seed].value(metric) for seed in study.seeds}
    by_seed = {str(seed): value for seed, value in known.items() if value is not None}
    values = list(by_seed.values())
    difference = None if arm == study.compared_with else _difference(study, arm, trials, metric)
    return ArmMetric(
        mean=statistics.fmean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        num_seeds=len(values),
        by_seed=by_seed,
        difference=None if difference is None else _as_json(difference),
    )


def _difference(study: Study, arm: str, trials: Trials, metric: str) -> SeedDifference | None:
    """Return the difference from the reference arm over the seeds at which both have the metric."""
    pairs = [(trials[arm, seed], trials[study.compared_with, seed]) for seed in study.seeds]
    pairs = [pair for pair in pairs if all(trial.value(metric) is not None for trial in pair)]
    if not pairs:
        return None
    digests = [(own.run.digest_of_images(metric), other.run.digest_of_images(metric)) for own, other in pairs]
    images = [ours for ours, theirs in digests if ours and ours == theirs]
    if len(images) == len(pairs) and len(set(images)) == 1:
        found = difference_of_images([_by_image(*pair, metric) for pair in pairs], pairs[0][0].run.sources(metric))
        if found is not None:
            return found
    has_new_images = len(set(images)) == len(pairs)
    return difference_of_values(
        [_value(own, metric) - _value(other, metric) for own, other in pairs],
        covers="seeds and images" if has_new_images and len(pairs) > 1 else "seeds",
    )


def _by_image(own: Trial, other: Trial, metric: str) -> dict[str, float]:
    ours, theirs = own.images(metric), other.images(metric)
    return {image: ours[image] - theirs[image] for image in ours if image in theirs}


def _value(trial: Trial, metric: str) -> float:
    value = trial.value(metric)
    assert value is not None
    return value


def _as_json(found: SeedDifference) -> Difference:
    return Difference(
        mean=found.mean,
        low=found.low,
        high=found.high,
        covers=found.covers,
        num_seeds=found.num_seeds,
        num_pictures=found.num_pictures,
        num_sources=found.num_sources,
        is_apart_from_zero=found.is_apart_from_zero,
        p_value=found.p_value,
        p_value_holm=None,
    )


def _missing(study: Study, trials: Trials) -> list[str]:
    """Return a sentence for each trial that does not count."""
    left_out = [trial for trial in trials.values() if not trial.is_complete]
    found = [
        f"{trial.row['trial_id']} {ENDED[trial.row['status']]} after epoch {trial.row['epoch']}"
        f"{f' ({trial.error})' if trial.error else ''} and does not count."
        for trial in left_out
    ]
    if left_out and all(not trials[study.compared_with, seed].is_complete for seed in study.seeds):
        found.append(f"No trial of {study.compared_with} has completed, so nothing can be compared.")
    return found


def _incomparable(study: Study, trials: Trials, metrics: Sequence[str]) -> list[str]:
    """Return each reason once why metrics of arms do not compare at some seed."""
    arms = [study.compared_with, *(arm for arm in study.arms if arm != study.compared_with)]
    splits = {split for metric in metrics if (split := without_split(metric)[1])}
    by_seed = [
        [trials[arm, seed].run.named(arm) for arm in arms if trials[arm, seed].is_complete] for seed in study.seeds
    ]
    return list(dict.fromkeys(sentence for runs in by_seed for sentence in warnings(runs, splits)))
