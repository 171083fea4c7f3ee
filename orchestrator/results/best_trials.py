"""The best trial next to the best trial of another objective, as a table and as sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.files.text import listing, plural
from orchestrator.results.accuracy_error import is_noise
from orchestrator.results.formatting import (
    SMALLEST_SHOWN,
    additions,
    describe,
    format_difference,
    format_metric,
    format_with_error,
    is_cross_entropy,
    objective,
    objective_group,
    objective_name,
    shown_error,
)
from orchestrator.results.metric_catalogue import LOGIT_ERROR, better_direction, key_metrics, meaning
from orchestrator.results.run_differences import verdict
from orchestrator.results.trial_rows import TrialRow, feasible, varied


@dataclass(frozen=True, slots=True)
class Comparison:
    """The trials that a report compares; each is None where there is none."""

    best: TrialRow | None
    other: TrialRow | None
    """The best plain cross-entropy trial; where that is the best of all, the best of another objective."""
    cross_entropy: TrialRow | None
    """The best plain cross-entropy trial, whichever of the two it is."""
    num_ranked: int
    num_of_other: int
    """Ranked trials among which `other` is the best."""

    @property
    def pair(self) -> list[TrialRow]:
        return [row for row in (self.best, self.other) if row is not None]


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of both trials."""

    metric: str
    meaning: str
    is_goal: bool
    better: Literal["max", "min"] | None
    best: str
    best_error: str
    other: str
    other_error: str
    difference: str
    verdict: Literal["better", "worse", "within noise", ""]


def compare(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> Comparison:
    """Choose the trials to compare, by the sweep's own ranking of the feasible ones."""
    ranking = feasible(rows, goals)
    plain = [row for row in ranking if is_cross_entropy(row)]
    others = [row for row in ranking if is_cross_entropy(row) != is_cross_entropy(ranking[0])]
    return Comparison(
        best=ranking[0] if ranking else None,
        other=others[0] if others else None,
        cross_entropy=plain[0] if plain else None,
        num_ranked=len(ranking),
        num_of_other=len(others),
    )


def differences(comparison: Comparison, goals: Sequence[SweepGoal]) -> list[Difference]:
    """Return the goals and the key metrics of the best trial, each next to the other trial's."""
    if comparison.best is None:
        return []
    return [
        _difference(metric, comparison.best, comparison.other, goals) for metric in key_metrics(comparison.pair, goals)
    ]


def _difference(metric: str, best: TrialRow, other: TrialRow | None, goals: Sequence[SweepGoal]) -> Difference:
    better = better_direction(metric, goals)
    delta = _delta(metric, best, other)
    return Difference(
        metric=metric,
        meaning=meaning(metric),
        is_goal=any(goal.metric == metric for goal in goals),
        better=better,
        best=format_metric(best["metrics"].get(metric)),
        best_error=shown_error(best, metric),
        other=format_metric(other["metrics"].get(metric) if other else None),
        other_error=shown_error(other, metric) if other else "",
        difference="" if delta is None else format_difference(delta),
        verdict="within noise" if other and is_noise(best, other, metric) else verdict(delta, better),
    )


def _delta(metric: str, best: TrialRow, other: TrialRow | None) -> float | None:
    ours, theirs = best["metrics"].get(metric), other["metrics"].get(metric) if other else None
    return None if ours is None or theirs is None else ours - theirs


def role(row: TrialRow, comparison: Comparison) -> str:
    """Return what the trial is in the comparison: `best trial` or `best cross-entropy trial`."""
    return "best trial" if row is comparison.best else f"best {objective_group(row)} trial"


def sentence(comparison: Comparison, goals: Sequence[SweepGoal]) -> str:
    """Say in one sentence how the two trials' numbers differ."""
    best, other = comparison.best, comparison.other
    if best is None:
        return f"No trial has completed with a value of {listing([goal.metric for goal in goals])} yet."
    metric = goals[0].metric
    opening = f"The best trial, {describe(best)}, has a {metric} of {format_with_error(best, metric)}"
    if other is None:
        absent = "contrastive" if is_cross_entropy(best) else "plain cross-entropy"
        return f"{opening}. No {absent} trial has completed, so there is nothing to compare it with."
    opening += f", against {format_with_error(other, metric)} of the {role(other, comparison)}, {describe(other)}"
    clauses = [
        f"its {name} is {_in_words(delta)}"
        for name in key_metrics(comparison.pair, goals)
        if name not in (metric, LOGIT_ERROR) and (delta := _delta(name, best, other)) is not None
    ]
    return f"{opening}; {listing(clauses)}." if clauses else f"{opening}."


def _in_words(delta: float) -> str:
    if abs(delta) < SMALLEST_SHOWN:
        return "the same to three decimals"
    return f"{abs(delta):.3f} {'higher' if delta > 0 else 'lower'}"


def caveats(comparison: Comparison) -> list[str]:
    """Return what a reader must know before making a claim from the comparison."""
    best, other = comparison.best, comparison.other
    if best is None or other is None:
        return []
    kind = "plain cross-entropy" if is_cross_entropy(other) else "not plain cross-entropy"
    found = [
        f"Each column is one run: the best of {plural(comparison.num_ranked, 'ranked trial')}, and "
        f"{_which(comparison.num_of_other)} among them whose objective is {kind}. Choosing the best makes its metrics "
        "look better than they are, and one run does not show how much another seed would change them."
    ]
    added = [*additions(best).values(), *additions(other).values()]  # of the two, one is plain
    if added:
        found.append(_caveat_of_additions(best, other, added))
    apart = [field for field in varied([best, other]) if not field.startswith("objective.")]
    if apart:
        found.append(
            f"The two also differ in {listing(apart)}, so the objective alone does not explain the difference."
        )
    return found


def _which(number: int) -> str:
    return "the only one" if number == 1 else f"the best of the {number}"


def _caveat_of_additions(best: TrialRow, other: TrialRow, added: Sequence[str]) -> str:
    losses = [objective_name(objective(row)) for row in (best, other)]
    apart = added if losses[0] == losses[1] else [f"the loss ({losses[0]} against {losses[1]})", *added]
    which = "" if len(apart) == 1 else "; the comparison does not show which of these makes the difference"
    return f"The objectives differ in {listing(apart)}{which}."
