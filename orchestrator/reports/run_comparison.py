"""Runs' evaluations side by side: a section of the report, and a page of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.files.text import listing
from orchestrator.reports.evaluation_charts import Chart, charts
from orchestrator.reports.group_table import EVALUATION as GROUPS
from orchestrator.reports.group_table import GroupLine, group_lines
from orchestrator.reports.images import Images, images
from orchestrator.reports.mean_influence import EVALUATION, MeanInfluence, mean_influence
from orchestrator.reports.metric_table import Group, Table, headlines, tables
from orchestrator.reports.plot_style import LineStyle, line_styles
from orchestrator.reports.provenance_section import data_facts
from orchestrator.reports.rendering import Drawing, render
from orchestrator.results.comparability import flat, how_to_evaluate, warnings
from orchestrator.results.evaluated import EvaluatedRun
from orchestrator.results.formatting import describe_objective, errors_explained, format_setting
from orchestrator.results.metric_catalogue import TITLES, category_of_evaluation
from orchestrator.results.run_differences import RunDifference, run_differences
from orchestrator.results.trial_rows import TrialRow, varied
from trainables.json_file import write_text


@dataclass(frozen=True, slots=True)
class RunHead:
    """A run at the head of a column."""

    name: str
    label: str
    """Its name on the page."""
    description: str
    style: str
    """CSS of its line in the plots."""


@dataclass(frozen=True, slots=True)
class CategorySection:
    """Metrics, groups, charts and images of one category."""

    name: str
    title: str
    table: Table | None
    groups: Sequence[GroupLine]
    charts: Sequence[Chart]
    images: Sequence[Images]

    @property
    def single_drawings(self) -> list[Drawing]:
        return [chart.drawings[0] for chart in self.charts if len(chart.drawings) == 1]

    @property
    def faceted_charts(self) -> list[Chart]:
        return [chart for chart in self.charts if len(chart.drawings) > 1]


@dataclass(frozen=True, slots=True)
class EvaluationSection:
    """The runs' evaluations; differences are from the first run."""

    runs: Sequence[EvaluatedRun]
    heads: Sequence[RunHead]
    differences: Sequence[RunDifference]
    headlines: Group
    categories: Sequence[CategorySection]
    warnings: Sequence[str]
    hints: Sequence[str]
    """How to run the evaluations that are missing."""
    settings: Mapping[str, Sequence[tuple[str, Sequence[str]]]]
    """By evaluation, each setting and its value in each run."""
    mean_influence: MeanInfluence | None

    @property
    def errors_explained(self) -> str:
        return errors_explained([run.row for run in self.runs])

    @property
    def has_paired(self) -> bool:
        return any(difference.paired for difference in self.differences)


def evaluation_section(runs: Sequence[EvaluatedRun], labels: Sequence[str] | None = None) -> EvaluationSection:
    """Compare the runs' evaluations; `labels` are the runs' names on the page, by default their own."""
    labels = labels or [run.name for run in runs]
    styles, differences = line_styles([run.row for run in runs]), run_differences(runs)
    first = mean_influence(runs, labels)
    return EvaluationSection(
        runs=runs,
        heads=run_heads(runs, labels),
        differences=differences,
        headlines=headlines(runs, differences),
        categories=_categories(runs, styles, differences, without=EVALUATION if first and first.images else ""),
        warnings=warnings(runs),
        hints=how_to_evaluate(runs),
        settings=settings_of(runs),
        mean_influence=first,
    )


def run_heads(runs: Sequence[EvaluatedRun], labels: Sequence[str]) -> list[RunHead]:
    """Return the heads of the runs' columns."""
    styles = line_styles([run.row for run in runs])
    return [
        RunHead(run.name, label, describe_objective(run.row), style.css)
        for run, label, style in zip(runs, labels, styles, strict=True)
    ]


def _categories(
    runs: Sequence[EvaluatedRun], styles: Sequence[LineStyle], differences: Sequence[RunDifference], *, without: str
) -> list[CategorySection]:
    """Return the categories; `without` names the evaluation whose images the page has shown already."""
    with_metrics, with_charts, with_images = (
        tables(runs, differences),
        charts(runs, styles),
        images(runs, without=without),
    )
    with_groups = {category_of_evaluation(GROUPS): group_lines(runs)}
    found = [
        CategorySection(
            name,
            title,
            with_metrics.get(name),
            with_groups.get(name, ()),
            with_charts.get(name, ()),
            with_images.get(name, ()),
        )
        for name, title in TITLES.items()
    ]
    return [section for section in found if section.table or section.groups or section.charts or section.images]


def settings_of(runs: Sequence[EvaluatedRun]) -> dict[str, list[tuple[str, list[str]]]]:
    """Return by evaluation each setting and its value in each run."""
    found = {}
    for name in dict.fromkeys(name for run in runs for name in run.evaluations):
        stored = [run.evaluations.get(name) for run in runs]
        by_run: list[dict[str, Any]] = [flat(evaluation.settings) if evaluation else {} for evaluation in stored]
        keys = dict.fromkeys(key for settings in by_run for key in settings)
        found[name] = [(key, [format_setting(settings.get(key)) for settings in by_run]) for key in keys]
    return found


def write_comparison(section: EvaluationSection, *, command: str, path: Path) -> None:
    """Write the page that compares the runs, with differences from the first of them.

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
        settings=[(field, [format_setting(row["config"].get(field)) for row in rows]) for field in _every_varied(rows)],
        facts={name: value for name, value in data_facts([run.data for run in section.runs]).items() if value},
        command=command,
    )


def _every_varied(rows: Sequence[TrialRow]) -> list[str]:
    """Return the varied fields, each followed by the fields that come with it."""
    return [name for field, others in varied(rows).items() for name in (field, *others)]


def comparison_document(section: EvaluationSection) -> dict[str, Any]:
    """Return the JSON document: the runs' metrics, their differences from the first, and warnings."""
    return {
        "runs": [{"run": run.name, "metrics": run.metrics} for run in section.runs],
        "differences": [{**asdict(found), "verdict": found.verdict} for found in section.differences],
        "warnings": list(section.warnings),
    }
