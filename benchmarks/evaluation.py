"""The full evaluation suite of a cross-entropy and a contrastive run, measured, and as a section of docs/results.md."""

import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from orchestrator.files.provenance import read_provenance
from orchestrator.files.text import listing
from orchestrator.launch.find_run import find_run, run_name
from orchestrator.reports.run_comparison import comparison_document, evaluation_section
from orchestrator.results.evaluated import read_run
from orchestrator.results.formatting import describe_objective, format_difference, format_metric
from orchestrator.results.metric_catalogue import HEADLINES, TITLES, category_of_metric
from orchestrator.tracking import resolve_store
from trainables.evaluations import direction

MARKS = {"max": " ↑", "min": " ↓", None: ""}


def measure(names: Sequence[str], storage: Path, data_root: str | None) -> dict[str, Any]:
    """Evaluate the runs, as far as they are not, and return their metrics with the commands."""
    roots = [] if data_root is None else ["--set", f"data.root={data_root}"]
    commands = [["campaign", "evaluate", name, "--suite", "full", *roots] for name in names]
    campaign = Path(sys.executable).with_name("campaign")
    for command in commands:
        subprocess.run([campaign, *command[1:], "--storage", storage], stdout=subprocess.DEVNULL, check=True)
    store = resolve_store(storage)
    folders = [find_run(name, storage, store) for name in names]
    runs = [read_run(folder, run_name(folder, storage)) for folder in folders]
    image_files = [] if data_root is None else ["--data-root", data_root]
    own = ["python", "-m", "benchmarks.results", "evaluation", *names, *image_files]
    found = (training_command(folder.path, data_root) for folder in folders)
    trainings = dict.fromkeys(command for command in found if command)
    return {
        "commands": [*trainings, *map(shlex.join, [*commands, own])],
        "labels": [describe_objective(run.row) for run in runs],
        "seconds": [{name: record.seconds for name, record in run.evaluations.items()} for run in runs],
        "num_pictures": [
            {name: record.settings.get("num_pictures") for name, record in run.evaluations.items()} for run in runs
        ],
        **comparison_document(evaluation_section(runs)),
    }


def training_command(folder: Path, data_root: str | None) -> str:
    """Return the command that trained the run, or the sweep that it is a trial of; empty where nobody kept it.

    Args:
        data_root: How this command names the folder of the data, which the other may have named in another way.
    """
    kept = (read_provenance(place).tags.get("campaign.command") for place in (folder, folder.parents[1]))
    program, *arguments = shlex.split(next(filter(None, kept), "")) or [""]
    named = [_renamed(argument, data_root) for argument in arguments]
    return shlex.join([Path(program).name, *named]) if program else ""


def _renamed(argument: str, data_root: str | None) -> str:
    field, _, value = argument.partition("=")
    is_same = data_root is not None and field == "data.root" and Path(value).resolve() == Path(data_root).resolve()
    return f"data.root={data_root}" if is_same else argument


def section(result: Mapping[str, Any]) -> str:
    """Return the metrics of both runs, those that say most first and then all by category."""
    metrics = sorted({found["metric"] for found in result["differences"]})
    first = dict.fromkeys(name for pattern in HEADLINES for name in metrics if fnmatchcase(name, pattern))
    lines = [
        "## The whole evaluation suite: cross-entropy and contrastive side by side",
        "",
        "```",
        *result["commands"],
        "```",
        "",
        f"{_sentence(result)} An arrow says which way is better. A paired difference is the mean over the images "
        "of both runs; for metrics of maps, over those that both predict right. Its interval of 95 % is a bootstrap "
        "over images. Each column is one training run: the spread between seeds is not known here.",
        "",
        *(f"{warning}\n" for warning in result["warnings"]),
        *_table(result, first),
    ]
    for category, title in TITLES.items():
        own = [name for name in metrics if category_of_metric(name) == category]
        if own:
            heading = f"<details><summary>{title}, {len(own)} metric{'s' * (len(own) > 1)}</summary>"
            lines += ["", heading, "", *_table(result, own), "", "</details>"]
    return "\n".join(lines)


def _sentence(result: Mapping[str, Any]) -> str:
    counts = [value for found in result["num_pictures"] for value in found.values() if isinstance(value, int)]
    durations = [sum(filter(None, seconds.values())) / 60 for seconds in result["seconds"]]
    return (
        f"Most evaluations look at {statistics.mode(counts)} images. All of one run took "
        f"{listing([f'{minutes:.1f}' for minutes in durations])} minutes."
    )


def _table(result: Mapping[str, Any], metrics: Iterable[str]) -> list[str]:
    values = [run["metrics"] for run in result["runs"]]
    differences = {found["metric"]: found for found in result["differences"]}
    head = [
        f"| metric | {' | '.join(result['labels'])} | difference | paired difference | images |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    return head + [_row(values, differences[metric]) for metric in metrics]


def _row(values: Sequence[dict[str, float | None]], found: dict[str, Any]) -> str:
    metric, paired = found["metric"], found["paired"]
    cells = [
        f"`{metric}`{MARKS[direction(metric)]}",
        *(format_metric(of_run[metric]) for of_run in values),
        format_difference(found["difference"]),
        "" if paired is None else _interval(paired),
        "" if paired is None else str(paired["num_pictures"]),
    ]
    return f"| {' | '.join(cells)} |"


def _interval(paired: dict[str, Any]) -> str:
    mean, low, high = (format_difference(paired[key]) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"
