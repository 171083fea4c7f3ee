"""The evaluations of runs, as the report of a sweep and the page of a comparison show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.reports.evaluation_charts import Chart, Images, charts, images
from orchestrator.reports.line_styles import LineStyle, line_styles
from orchestrator.reports.metric_table import Group, Table, headlines, tables
from orchestrator.reports.rendering import Drawing
from orchestrator.results.categories import TITLES
from orchestrator.results.comparability import flat, how_to_evaluate, warnings
from orchestrator.results.evaluated import EvaluatedRun
from orchestrator.results.formatting import describe_objective, format_setting
from orchestrator.results.run_differences import RunDifference, run_differences


@dataclass(frozen=True, slots=True)
class RunHead:
    """A run at the head of a column."""

    name: str
    label: str
    """What the page calls it."""
    description: str
    style: str
    """CSS of its line in the figures."""


@dataclass(frozen=True, slots=True)
class CategorySection:
    """All that the runs have of one category."""

    name: str
    title: str
    table: Table | None
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
    """How to evaluate what has not been evaluated."""
    settings: Mapping[str, Sequence[tuple[str, Sequence[str]]]]
    """By part, each setting and what each run has of it."""

    @property
    def has_paired(self) -> bool:
        return any(difference.paired for difference in self.differences)


def evaluation_section(runs: Sequence[EvaluatedRun], labels: Sequence[str] | None = None) -> EvaluationSection:
    """Set evaluations side by side; `labels` is what the page calls the runs, by default their names."""
    styles, differences = line_styles([run.row for run in runs]), run_differences(runs)
    return EvaluationSection(
        runs=runs,
        heads=[
            RunHead(run.name, label, describe_objective(run.row), style.css)
            for run, label, style in zip(runs, labels or [run.name for run in runs], styles, strict=True)
        ],
        differences=differences,
        headlines=headlines(runs, differences),
        categories=_categories(runs, styles, differences),
        warnings=warnings(runs),
        hints=how_to_evaluate(runs),
        settings=_settings(runs),
    )


def _categories(
    runs: Sequence[EvaluatedRun], styles: Sequence[LineStyle], differences: Sequence[RunDifference]
) -> list[CategorySection]:
    with_figures, with_charts, with_images = tables(runs, differences), charts(runs, styles), images(runs)
    found = [
        CategorySection(name, title, with_figures.get(name), with_charts.get(name, ()), with_images.get(name, ()))
        for name, title in TITLES.items()
    ]
    return [section for section in found if section.table or section.charts or section.images]


def _settings(runs: Sequence[EvaluatedRun]) -> dict[str, list[tuple[str, list[str]]]]:
    found = {}
    for part in dict.fromkeys(name for run in runs for name in run.parts):
        by_run: list[dict[str, Any]] = [flat(run.parts[part].settings) if part in run.parts else {} for run in runs]
        keys = dict.fromkeys(key for settings in by_run for key in settings)
        found[part] = [(key, [format_setting(settings.get(key)) for settings in by_run]) for key in keys]
    return found
