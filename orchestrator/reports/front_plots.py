"""The Pareto front over three objectives or more, as the sweep's page on its parent run shows it."""

import html
from collections.abc import Sequence
from typing import cast

from plotly import graph_objects as go

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.reports.front_table import front_table
from orchestrator.reports.goal_panels import explanation, goal_panels
from orchestrator.reports.sweep_plots import Objectives, Row
from orchestrator.results.trial_rows import TrialRow


def front_figure(ranking: Sequence[Row], objectives: Objectives) -> go.Figure:
    """Draw the trials once for every pair of objectives, as the report does."""
    return goal_panels(_trial_rows(ranking), _goals(objectives))


def front_section(ranking: Sequence[Row], objectives: Objectives) -> str:
    """Return as HTML how to read the figure, and the front as a table."""
    goals = _goals(objectives)
    table = front_table(_trial_rows(ranking), goals)
    heads = ["trial", "objective", *(f"{metric} ({direction})" for metric, direction in table.heads)]
    lines = [[line.trial_id, line.objective, *(value.text for value in line.values)] for line in table.lines]
    body = "\n".join([_line("th", heads), *(_line("td", line) for line in lines)])
    return f"<p>{html.escape(explanation(goals))}</p>\n<h3>The Pareto front</h3>\n<table>\n{body}\n</table>"


def _line(tag: str, texts: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts)}</tr>"


def _goals(objectives: Objectives) -> list[SweepGoal]:
    return [SweepGoal(metric=metric, direction=direction) for metric, direction in objectives.items()]


def _trial_rows(ranking: Sequence[Row]) -> list[TrialRow]:
    return [cast("TrialRow", row) for row in ranking]
