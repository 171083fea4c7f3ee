"""The page on what decides inside one run, or inside two side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.files.text import listing
from orchestrator.reports.inspection import channels, circuits, concepts, curves, gap
from orchestrator.reports.inspection.inspected_run import InspectedRun
from orchestrator.reports.metric_table import Group, lines_of
from orchestrator.reports.provenance_section import data_facts
from orchestrator.reports.rendering import render
from orchestrator.reports.run_comparison import RunHead, run_heads, settings_of
from orchestrator.results.comparability import warnings
from orchestrator.results.run_differences import run_differences
from trainables.json_file import write_text

__all__ = ["InspectedRun", "render_inspection", "write_inspection"]

PARTS = ("channels", "concepts", "circuits", "gap")
FIRST = (
    "*/gap/accuracy",
    "*/gap/accuracy_lost",
    "*/gap/background_lost_share",
    "*/channels/effective_number",
    "*/channels/background_share",
    "*/concepts/r2",
    "*/concepts/background_share",
    "*/circuits/background_share",
    "*/circuits/background_nodes",
)
"""Metrics at the head of the page."""


@dataclass(frozen=True, slots=True)
class InspectionSection:
    """What templates of comparisons need of the runs."""

    heads: Sequence[RunHead]
    headlines: Group
    numbers: Mapping[str, Group]
    """By part, all its metrics."""
    missing: Mapping[str, Sequence[tuple[str, str]]]
    """By part, the runs that lack it, and why."""
    warnings: Sequence[str]
    settings: Mapping[str, Sequence[tuple[str, Sequence[str]]]]


def write_inspection(runs: Sequence[InspectedRun], *, command: str, path: Path) -> None:
    """Write the page.

    Args:
        runs: One or two.
        command: The command line that made the page.
        path: The file to write.
    """
    write_text(path, render_inspection(runs, command=command))


def render_inspection(runs: Sequence[InspectedRun], *, command: str) -> str:
    """Return the page's HTML."""
    names = [run.run.name for run in runs]
    return render(
        "inspection.html.j2",
        title=listing(names),
        section=_section(runs),
        facts=data_facts([run.run.data for run in runs]),
        command=command,
        **_parts(runs),
    )


def _section(runs: Sequence[InspectedRun]) -> InspectionSection:
    evaluated = [run.run for run in runs]
    differences = run_differences(evaluated)
    return InspectionSection(
        heads=run_heads(evaluated, [run.name for run in evaluated]),
        headlines=lines_of(evaluated, differences, FIRST),
        numbers={part: lines_of(evaluated, differences, [f"*/{part}/*"]) for part in PARTS},
        missing={part: [(run.run.name, run.missing[part]) for run in runs if not run.has(part)] for part in PARTS},
        warnings=warnings(evaluated) if len(evaluated) > 1 else [],
        settings=settings_of(evaluated),
    )


def _parts(runs: Sequence[InspectedRun]) -> dict[str, Any]:
    """Return by name what the template shows of each part, of the runs that have it."""
    with_channels, with_concepts, with_circuits, with_gap = ([run for run in runs if run.has(part)] for part in PARTS)
    return {
        "channel_choices": channels.channel_choices(with_channels),
        "channel_curves": curves.drawings(with_channels, "channels"),
        "concept_choices": concepts.concept_choices(with_concepts),
        "class_tables": [concepts.class_table(run) for run in with_concepts],
        "concept_curves": curves.drawings(with_concepts, "concepts"),
        "circuits": [
            (
                title,
                [circuits.shown_circuit(run, kind) for run in with_circuits],
                curves.drawings(with_circuits, "circuits", beginning=f"{kind} "),
            )
            for kind, title in circuits.KINDS.items()
        ],
        "pairs": [(run.run.name, run.image("circuits", "pairs")) for run in with_circuits],
        "diagnoses": [gap.diagnosis(run) for run in with_gap],
        "gap_curves": curves.drawings(with_gap, "gap"),
    }
