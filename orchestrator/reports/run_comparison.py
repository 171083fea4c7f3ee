"""The comparison of runs as one HTML file that needs nothing else, and as a document of figures."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.reports.evaluation_section import EvaluationSection
from orchestrator.reports.provenance_section import data_facts
from orchestrator.reports.rendering import render
from orchestrator.results.formatting import format_setting, listing
from orchestrator.results.trial_rows import varied
from trainables.trial_folder import write_text


def write_comparison(section: EvaluationSection, *, command: str, path: Path) -> None:
    """Write the page that sets the runs side by side, with differences from the first of them.

    Args:
        command: The command line that made the page.
        path: The file to write.
    """
    write_text(path, render_comparison(section, command=command))


def render_comparison(section: EvaluationSection, *, command: str) -> str:
    """Return the page's HTML."""
    rows = [run.row for run in section.runs]
    return render(
        "compare.html.j2",
        title=listing([run.name for run in section.runs]),
        section=section,
        settings=[(field, [format_setting(row["config"].get(field)) for row in rows]) for field in varied(rows)],
        facts={name: value for name, value in data_facts([run.data for run in section.runs]).items() if value},
        command=command,
    )


def comparison_document(section: EvaluationSection) -> dict[str, Any]:
    """Return the JSON document: the runs' figures, their differences from the first, and what stands against them."""
    return {
        "runs": [{"run": run.name, "metrics": run.metrics} for run in section.runs],
        "differences": [{**asdict(found), "verdict": found.verdict} for found in section.differences],
        "warnings": list(section.warnings),
    }
