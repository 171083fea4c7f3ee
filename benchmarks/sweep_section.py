"""A sweep, repeated over seeds, as a section of docs/results.md: the trials that it chose, on the test images."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from benchmarks.protocol import is_earlier, protocol_sentences, reported_today
from orchestrator.files.sweep_config import SweepGoal
from orchestrator.files.text import listing, plural
from orchestrator.results.formatting import (
    errors_explained,
    format_metric,
    format_setting,
    format_with_error,
    is_cross_entropy,
    objective_group,
    short_names,
)
from orchestrator.results.metric_catalogue import key_metrics
from orchestrator.results.trial_rows import TrialRow, ranked, varied
from search_spaces import SPACES
from trainables.metric_names import GROUP_METRICS

ONE_SEED = "Each row is one training: the spread between seeds is not known."
SEVERAL_SEEDS = "A cell is the mean over the seeds, with the smallest and the largest in brackets."


def chosen(sweep: Mapping[str, Any]) -> dict[str, TrialRow]:
    """Return what is shown of a sweep: its first point, and the best trial of each objective by the first goal."""
    first, *_ = sweep["trials"]
    best: dict[str, TrialRow] = {}
    for row in ranked(sweep["trials"], [goal_of(sweep)]):
        best.setdefault(f"best {objective_group(row)}", row)
    plain_first = sorted(best.items(), key=lambda item: not is_cross_entropy(item[1]))
    return {f"first point ({objective_group(first)})": first, **dict(plain_first)}


def goal_of(sweep: Mapping[str, Any]) -> SweepGoal:
    """Return the goal by which trials are chosen, which is the first one."""
    return SweepGoal(**sweep["goals"][0])


def section(result: Mapping[str, Any]) -> str:
    """Return heading, command, protocol and table of a sweep, and the trials behind the table."""
    sweeps = result["sweeps"]
    space = sweeps[0]["sweep"].rpartition("-")[0]
    rows = _rows(result)
    metrics = _metrics(result)
    paragraphs = [
        f"## Sweep {space}",
        "\n".join(["```", *_commands(result), "```"]),
        SPACES[space].summary if space in SPACES else "",
        _how_chosen(result),
        _how_many(sweeps),
        protocol_sentences(result),
        SEVERAL_SEEDS if len(sweeps) > 1 else f"{ONE_SEED} {errors_explained(sweeps[0]['trials'])}".strip(),
        _table(
            ["trial", *(f"`{metric}`" for metric in metrics)],
            [[name, *(_cell(metric, trials) for metric in metrics)] for name, trials in rows.items()],
        ),
        "The trials behind the rows:",
        _settings(rows),
    ]
    return "\n\n".join(filter(None, paragraphs))


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say in two sentences how the rows' accuracies have moved since the earlier protocol; empty for other rows."""
    today = _metrics(now)
    pairs = [(metric, reported_today(metric)) for metric in _metrics(before) if metric.endswith("/accuracy")]
    shared = [(old, new) for old, new in pairs if new in today]
    if not shared or list(_rows(before)) != list(_rows(now)):
        return ""
    return (
        f"Under the earlier protocol the rows had {_standing(before, [old for old, _ in shared])}. "
        f"Now they have {_standing(now, [new for _, new in shared])}."
    )


def _standing(result: Mapping[str, Any], metrics: Sequence[str]) -> str:
    """Return the mean of each row in each of the first two metrics, and the goal."""
    means = [f"{listing(_means(metric, result))} in `{metric}`" for metric in metrics[:2]]
    return f"{listing(means)}, with the goal `{goal_of(result['sweeps'][0]).metric}`"


def _means(metric: str, result: Mapping[str, Any]) -> list[str]:
    return [format_metric(statistics.fmean(_values(metric, trials))) for trials in _rows(result).values()]


def _commands(result: Mapping[str, Any]) -> list[str]:
    """Return the command of all seeds; earlier results have one for each."""
    return [result["command"]] if "command" in result else [sweep["command"] for sweep in result["sweeps"]]


def _how_chosen(result: Mapping[str, Any]) -> str:
    sweeps = result["sweeps"]
    goal = goal_of(sweeps[0])
    groups = " That metric reads the groups of the validation images." if goal.metric.endswith(GROUP_METRICS) else ""
    test = "" if is_earlier(result) else " The test images were read after the search alone."
    return (
        f"A row is the space's first point, or the best trial of an objective by `{goal.metric}` ({goal.direction})."
        f"{groups}{test} Seeds: {len(sweeps)}, each with a search of {plural(len(sweeps[0]['trials']), 'trial')}. A "
        "seed is that of sampler and training alike."
    )


def _how_many(sweeps: Sequence[Mapping[str, Any]]) -> str:
    """Say of how many trials each objective's best one is."""
    counts = [Counter(map(objective_group, ranked(sweep["trials"], [goal_of(sweep)]))) for sweep in sweeps]
    tries = "; ".join(
        f"{group} {listing([str(count[group]) for count in counts])}" for group in dict.fromkeys(chain(*counts))
    )
    by_seed = ", by seed" if len(sweeps) > 1 else ""
    return f"Trials to choose the best from{by_seed}: {tries}. The best of more trials is better by chance alone."


def _rows(result: Mapping[str, Any]) -> dict[str, list[TrialRow]]:
    """Return the rows' trials, one a seed; a row that some seed lacks is left out."""
    found = [chosen(sweep) for sweep in result["sweeps"]]
    return {name: [rows[name] for rows in found] for name in found[0] if all(name in rows for rows in found)}


def _metrics(result: Mapping[str, Any]) -> list[str]:
    """Return the key metrics that every trial of the table has."""
    trials = [trial for trials in _rows(result).values() for trial in trials]
    goals = [SweepGoal(**goal) for goal in result["sweeps"][0]["goals"]]
    known = [{name for name, value in trial["metrics"].items() if value is not None} for trial in trials]
    return [metric for metric in key_metrics(trials, goals) if all(metric in names for names in known)]


def _values(metric: str, trials: Sequence[TrialRow]) -> list[float]:
    return [value for trial in trials if (value := trial["metrics"][metric]) is not None]


def _cell(metric: str, trials: Sequence[TrialRow]) -> str:
    if len(trials) == 1:
        return format_with_error(trials[0], metric)
    values = _values(metric, trials)
    return f"{format_metric(statistics.fmean(values))} ({format_metric(min(values))}, {format_metric(max(values))})"


def _settings(rows: Mapping[str, Sequence[TrialRow]]) -> str:
    trials = [trial for found in rows.values() for trial in found]
    fields = [field for leader, others in varied(trials).items() for field in (leader, *others)]
    lines = [
        [name, trial["trial_id"], *(format_setting(trial["config"].get(field)) for field in fields)]
        for name, found in rows.items()
        for trial in found
    ]
    return _table(["trial", "id", *short_names(fields)], lines)


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is text."""
    rule = f"|---|{'---:|' * (len(heads) - 1)}"
    return "\n".join([f"| {' | '.join(heads)} |", rule, *(f"| {' | '.join(line)} |" for line in lines)])
