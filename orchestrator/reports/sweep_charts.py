"""The plots of a sweep: what the trials trade off, the effect of the background weight, and training curves."""

import html
import math
from collections.abc import Mapping, Sequence

from plotly import graph_objects as go

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.reports.plot_style import (
    COLOUR_SCALE,
    LIGHT,
    LogAxis,
    add_legend,
    line_styles,
    objective_marks,
    plot_area,
)
from orchestrator.results.best_trials import Comparison, role
from orchestrator.results.formatting import (
    background_weight,
    format_metric,
    format_setting,
    short_names,
)
from orchestrator.results.metric_catalogue import INFLUENCE_SHARE
from orchestrator.results.trial_rows import TrialRow, pareto_front, varied
from trainables.trial_folder import Row


def tradeoff_figure(
    rows: Sequence[TrialRow], goals: Sequence[SweepGoal], metric: str, comparison: Comparison
) -> go.Figure:
    """Draw each trial's `metric` over its influence share, coloured by background weight, shaped by objective.

    Where the two are goals the Pareto front is drawn, as the bound of what some trial reaches.
    """
    shown = with_metrics(rows, (INFLUENCE_SHARE, metric))
    figure = plot_area(height=560, x=INFLUENCE_SHARE, y=metric, top=84)
    if {goal.metric for goal in goals} == {INFLUENCE_SHARE, metric}:
        figure.add_trace(_front_trace(pareto_front(shown, goals), goals, metric))
    weights = [weight for row in shown if (weight := background_weight(row)) is not None]
    axis = LogAxis.of(weights)
    if weights:
        figure.update_layout(coloraxis=_colour_axis(axis))
    marks = objective_marks(shown)
    for mark in marks:
        marker: dict[str, object] = {"symbol": mark.symbol, "size": 12, "line": {"color": LIGHT["paper"], "width": 1}}
        if any(background_weight(row) is not None for row in mark.rows):
            marker["coloraxis"] = "coloraxis"
        marker["color"] = [_colour(row, axis) for row in mark.rows]
        figure.add_trace(_points(mark.rows, metric, list(varied(rows)), name=mark.name, marker=marker))
    add_legend(figure, marks)
    middle = _middle([row["metrics"][INFLUENCE_SHARE] for row in shown])
    for row in comparison.pair:
        if row in shown:
            is_left = (row["metrics"][INFLUENCE_SHARE] or 0.0) < middle
            _label(
                figure,
                (row["metrics"][INFLUENCE_SHARE], row["metrics"][metric]),
                role(row, comparison),
                xanchor="left" if is_left else "right",
                ay=-30 if row is comparison.best else 30,
            )
    return figure


def _middle(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return (min(known) + max(known)) / 2 if known else 0.0


def _front_trace(front: Sequence[TrialRow], goals: Sequence[SweepGoal], metric: str) -> go.Scatter:
    falls = next(goal.direction for goal in goals if goal.metric == INFLUENCE_SHARE) == "min"
    points = sorted((row["metrics"][INFLUENCE_SHARE], row["metrics"][metric]) for row in front)
    return go.Scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="lines",
        line={"shape": "hv" if falls else "vh", "color": LIGHT["accent"], "width": 1.5},
        name="Pareto front",
        hoverinfo="skip",
    )


def _colour(row: TrialRow, axis: LogAxis) -> float | str:
    """Return the weight's place on the axis, or ink where the objective has none."""
    weight = background_weight(row)
    return LIGHT["ink"] if weight is None else axis.position(weight)


def _colour_axis(axis: LogAxis) -> dict[str, object]:
    return {
        "cmin": axis.low,
        "cmax": axis.high,
        "colorscale": COLOUR_SCALE,
        "colorbar": {
            "title": {"text": "background weight", "side": "top", "font": {"size": 12}},
            "orientation": "h",
            "thickness": 8,
            "len": 0.6,
            "x": 0.5,
            "y": -0.17,
            "yanchor": "top",
            "outlinewidth": 0,
            "tickvals": axis.tick_positions,
            "ticktext": axis.tick_labels,
        },
    }


def _points(
    shown: Sequence[TrialRow], metric: str, fields: Sequence[str], *, name: str, marker: Mapping[str, object]
) -> go.Scatter:
    return go.Scatter(
        x=[row["metrics"][INFLUENCE_SHARE] for row in shown],
        y=[row["metrics"][metric] for row in shown],
        mode="markers",
        name=html.escape(name),
        marker=marker,
        hovertext=[_hover(row, (metric, INFLUENCE_SHARE), fields) for row in shown],
        hoverinfo="text",
        legendgroup=name,
        showlegend=False,
    )


def _label(figure: go.Figure, point: tuple[float | None, float | None], text: str, *, xanchor: str, ay: int) -> None:
    figure.add_annotation(
        x=point[0],
        y=point[1],
        text=text,
        showarrow=True,
        arrowhead=0,
        arrowwidth=1,
        arrowcolor=LIGHT["muted"],
        standoff=8,
        xanchor=xanchor,
        ax=0,
        ay=ay,
        font={"size": 12, "color": LIGHT["ink"]},
    )


def weight_figure(rows: Sequence[TrialRow], metric: str, cross_entropy: TrialRow | None) -> go.Figure:
    """Draw `metric` over the background weight on a log scale; the cross-entropy trial is a level line."""
    shown = [row for row in with_metrics(rows, (metric,)) if background_weight(row) is not None]
    axis = LogAxis.of([background_weight(row) or 0.0 for row in shown])
    figure = plot_area(height=270, x="background weight", y=metric)
    figure.update_xaxes(tickvals=axis.tick_positions, ticktext=axis.tick_labels, range=axis.padded_range)
    figure.add_trace(
        go.Scatter(
            x=[axis.position(background_weight(row) or 0.0) for row in shown],
            y=[row["metrics"][metric] for row in shown],
            mode="markers",
            marker={"size": 9, "color": LIGHT["accent"], "line": {"color": LIGHT["paper"], "width": 1}},
            hovertext=[_hover(row, (metric,), list(varied(rows))) for row in shown],
            hoverinfo="text",
            showlegend=False,
        )
    )
    level = cross_entropy["metrics"].get(metric) if cross_entropy else None
    if level is not None:
        figure.add_hline(y=level, line={"color": LIGHT["ink"], "width": 1.5, "dash": "dash"})
        figure.add_annotation(
            x=1, xref="paper", xanchor="right", y=level, yanchor="bottom", showarrow=False,
            text=f"cross-entropy {format_metric(level)}", font={"size": 11, "color": LIGHT["ink"]},
        )  # fmt: skip
        _include(figure, [level, *(row["metrics"][metric] for row in shown)])
    return figure


def _include(figure: go.Figure, values: Sequence[float | None]) -> None:
    """Set the range of y to hold all values: autorange passes over shapes."""
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    margin = 0.12 * (high - low) or 0.05
    figure.update_yaxes(range=[low - margin, high + margin])


def curves_figure(curves: Mapping[str, Sequence[Row]], metric: str, comparison: Comparison) -> go.Figure:
    """Draw `metric` over the epochs of every trial of `curves`; the compared trials stand out."""
    figure = plot_area(height=300, x="epoch", y=metric)
    compared = {row["trial_id"]: row for row in reversed(comparison.pair)}
    for trial_id in curves:
        if trial_id not in compared:
            figure.add_trace(_curve(trial_id, curves[trial_id], metric, {"color": LIGHT["faint"], "width": 1}))
    for trial_id, row in compared.items():
        if trial_id in curves:
            figure.add_trace(_curve(trial_id, curves[trial_id], metric, {**line_styles([row])[0].plotly, "width": 2.5}))
    return figure


def _curve(trial_id: str, epochs: Sequence[Row], metric: str, line: Mapping[str, object]) -> go.Scatter:
    measured = [row for row in epochs if math.isfinite(row.get(metric, math.nan))]
    is_point = len(measured) == 1
    return go.Scatter(
        x=[row["epoch"] for row in measured],
        y=[row[metric] for row in measured],
        mode="lines+markers" if is_point else "lines",
        line=line,
        name=html.escape(trial_id),
        hovertemplate=f"{html.escape(trial_id)}<br>epoch %{{x}}: %{{y:.3f}}<extra></extra>",
        showlegend=False,
    )


def with_metrics(rows: Sequence[TrialRow], metrics: Sequence[str]) -> list[TrialRow]:
    """Return the completed trials that have all of `metrics`."""
    return [
        row
        for row in rows
        if row["status"] == "completed" and all(row["metrics"].get(metric) is not None for metric in metrics)
    ]


def _hover(row: TrialRow, metrics: Sequence[str], fields: Sequence[str]) -> str:
    values = [f"{name}: {format_metric(row['metrics'].get(name))}" for name in metrics]
    settings = [
        f"{name}: {format_setting(row['config'][field])}"
        for field, name in zip(fields, short_names(fields), strict=True)
        if field in row["config"]
    ]
    return "<br>".join(html.escape(line) for line in [row["trial_id"], *values, "", *settings])
