"""The report: a sweep as one HTML file that needs nothing else."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.reports.images import last_panels, side_by_side
from orchestrator.reports.leaderboard import leaderboard
from orchestrator.reports.pareto_front import (
    NOT_DOMINATED,
    explanation,
    front_table,
    goal_pairs,
    goal_panels,
    has_panels,
)
from orchestrator.reports.provenance_section import base_yaml, facts, provenance
from orchestrator.reports.rendering import Drawing, render
from orchestrator.reports.run_comparison import EvaluationSection, evaluation_section
from orchestrator.reports.study_table import StudyTable, study_table
from orchestrator.reports.sweep_charts import curves_figure, tradeoff_figure, weight_figure, with_metrics
from orchestrator.results.best_trials import Comparison, caveats, compare, differences, role, sentence
from orchestrator.results.evaluated import read_run
from orchestrator.results.formatting import background_weight, describe, errors_explained, is_cross_entropy
from orchestrator.results.metric_catalogue import INFLUENCE_SHARE, VAL_ACCURACY, accuracies
from orchestrator.results.study_document import StudyDocument
from orchestrator.results.trial_rows import (
    BROKEN,
    HELD_OUT,
    TrialRow,
    best,
    is_held_out,
    ranked,
    why_none_is_feasible,
)
from search_spaces import SPACES
from trainables.json_file import read_json, write_text

MAX_CURVES = 30
CURVES = (VAL_ACCURACY, "train/loss", INFLUENCE_SHARE)
STATUSES = ("completed", "stopped", "failed", "unfinished", BROKEN)


def write_report(sweep: SweepFolder, rows: list[TrialRow], *, command: str, path: Path | None = None) -> Path:
    """Write the report of a sweep and return where.

    Args:
        rows: The sweep's trials, from `trial_rows`.
        command: The command line that made the sweep.
        path: The file to write; `report.html` in the sweep's folder if left out.
    """
    path = path or sweep.path / "report.html"
    write_text(path, render_report(sweep, rows, command=command))
    return path


def render_report(sweep: SweepFolder, rows: Sequence[TrialRow], *, command: str) -> str:
    """Return the report's HTML; arguments as for `write_report`."""
    config = sweep.config()
    comparison = compare(rows, config.goals)
    return render(
        "report.html.j2",
        config=config,
        **_headline(sweep, rows, comparison),
        study=_study(sweep),
        **_front(config.goals, rows),
        **_tradeoff(config.goals, rows, comparison),
        **_curves(sweep, config.goals, rows, comparison),
        images=side_by_side([last_panels(sweep.trial(row["trial_id"]).path) for row in comparison.pair]),
        evaluations=_evaluations(sweep, comparison),
        board=leaderboard(rows, config.goals),
        errors=_errors(sweep, rows),
        command=command,
        base=base_yaml(config),
        facts=facts(sweep, config, rows),
        provenance=provenance(sweep),
    )


def _headline(sweep: SweepFolder, rows: Sequence[TrialRow], comparison: Comparison) -> dict[str, Any]:
    config = sweep.config()
    ended, infeasible = sweep.search_end(config), why_none_is_feasible(rows, config.goals, config.constraints)
    counts = Counter(row["status"] for row in rows)
    shown = {status: counts[status] for status in STATUSES if counts[status]}
    if config.num_trials > len(rows) and not ended:
        shown["not started"] = config.num_trials - len(rows)
    front = best(rows, config.goals) if len(config.goals) > 1 else []
    return {
        "summary": SPACES[config.space].summary if config.space in SPACES else "",
        "num_rows": len(rows),
        "counts": shown,
        "ended": ended,
        "sentence": f"{infeasible[:1].upper()}{infeasible[1:]}." if infeasible else sentence(comparison, config.goals),
        "caveats": [*caveats(comparison), *([f"Trials were {HELD_OUT}."] if is_held_out(rows) else [])],
        "differences": differences(comparison, config.goals),
        "errors_explained": errors_explained(comparison.pair),
        "pair": [
            (role(row, comparison), describe(row), "plain" if is_cross_entropy(row) else "other", row)
            for row in comparison.pair
        ],
        "front": [describe(row) for row in front],
        "not_dominated": NOT_DOMINATED,
    }


def _evaluations(sweep: SweepFolder, comparison: Comparison) -> EvaluationSection | None:
    """Return the evaluations of the compared trials, with differences from the other one; None without any."""
    pair = comparison.pair[::-1]
    runs = [read_run(sweep.trial(row["trial_id"]), f"{sweep.path.name}/{row['trial_id']}") for row in pair]
    if not any(run.evaluations for run in runs):
        return None
    return evaluation_section(runs, [role(row, comparison).capitalize() for row in pair])


def _study(sweep: SweepFolder) -> StudyTable | None:
    """Return the table of the study that the sweep runs; None where there is no result."""
    document: StudyDocument | None = read_json(sweep.result_path)
    return study_table(document) if document else None


def _errors(sweep: SweepFolder, rows: Sequence[TrialRow]) -> dict[str, str]:
    outcomes = {row["trial_id"]: sweep.trial(row["trial_id"]).outcome() for row in rows if row["status"] != BROKEN}
    failed = {trial_id: outcome.error for trial_id, outcome in outcomes.items() if outcome and outcome.error}
    return failed | {row["trial_id"]: row["error"] for row in rows if "error" in row}


def _front(goals: Sequence[SweepGoal], rows: Sequence[TrialRow]) -> dict[str, Any]:
    if not has_panels(goals) or not ranked(rows, goals):
        return {"panels": None}
    completed = [row for row in rows if row["status"] == "completed"]
    return {
        "panels": Drawing(goal_panels(rows, goals), f"{len(goals)} goals in pairs, the Pareto front ringed"),
        "panels_note": explanation(goals),
        "num_not_in_panels": len(completed) - len(ranked(rows, goals)),
        "front_table": front_table(rows, goals),
    }


def _tradeoff(goals: Sequence[SweepGoal], rows: Sequence[TrialRow], comparison: Comparison) -> dict[str, Any]:
    metric = _tradeoff_metric(goals, rows)
    shown = with_metrics(rows, (INFLUENCE_SHARE, metric)) if metric else []
    names = [name for name in [*accuracies(rows), INFLUENCE_SHARE] if _weights_differ(with_metrics(rows, (name,)))]
    return {
        "tradeoff": Drawing(
            tradeoff_figure(rows, goals, metric, comparison),
            f"{metric} over {INFLUENCE_SHARE} of {len(shown)} trials",
        )
        if metric and shown and not _is_in_panels(goals, metric)
        else None,
        "tradeoff_metric": metric,
        "has_front": {goal.metric for goal in goals} == {INFLUENCE_SHARE, metric},
        "num_left_out": len(with_metrics(rows, ())) - len(shown),
        "has_level": comparison.cross_entropy is not None,
        "weights": [
            Drawing(weight_figure(rows, name, comparison.cross_entropy), f"{name} over the background weight")
            for name in names
        ],
    }


def _is_in_panels(goals: Sequence[SweepGoal], metric: str) -> bool:
    drawn = [{across.metric, upwards.metric} for across, upwards in goal_pairs(goals)]
    return has_panels(goals) and {INFLUENCE_SHARE, metric} in drawn


def _tradeoff_metric(goals: Sequence[SweepGoal], rows: Sequence[TrialRow]) -> str | None:
    """Return the metric to draw over the influence share: the first other goal, or else an accuracy."""
    others = [goal.metric for goal in goals if goal.metric != INFLUENCE_SHARE]
    return next(iter([*others, *reversed(accuracies(rows))]), None)


def _weights_differ(rows: Sequence[TrialRow]) -> bool:
    return len({background_weight(row) for row in rows} - {None}) > 1


def _curves(
    sweep: SweepFolder, goals: Sequence[SweepGoal], rows: Sequence[TrialRow], comparison: Comparison
) -> dict[str, Any]:
    ranking = ranked(rows, goals)
    pair, rest = comparison.pair, [row for row in rows if row not in ranking and row["status"] != BROKEN]
    chosen = [*pair, *(row for row in [*ranking, *rest] if row not in pair)][:MAX_CURVES]
    curves = {row["trial_id"]: sweep.trial(row["trial_id"]).rows() for row in chosen}
    curves = {trial_id: epochs for trial_id, epochs in curves.items() if epochs}
    names = [
        name
        for name in CURVES
        if any(math.isfinite(row.get(name, math.nan)) for epochs in curves.values() for row in epochs)
    ]
    return {
        "num_curves": len(curves),
        "curves": [
            Drawing(curves_figure(curves, name, comparison), f"{name} by epoch of {len(curves)} trials")
            for name in names
        ],
    }
