"""A sweep's interactive figures, as one HTML page that needs no network."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from orchestrator.results.varied import varying

Objectives = Mapping[str, Literal["max", "min"]]
"""Metric name -> direction, the most important first."""
Row = Mapping[str, Any]
"""A trial as `--json` prints it: trial_id, run_id, status, epoch, config (flat) and metrics."""

TITLE = "Objectives of the completed trials"
LABEL_ANGLE = -30
ABSENT_BELOW = 0.15
"""How far below the numbers of an axis those trials lie that have none, as a share of the numbers' range."""
IN_ONE_PLOT = 2
"""Objectives that one plot can set against each other."""
STYLE = (
    "body { font: 15px/1.5 system-ui, sans-serif; margin: 16px; max-width: 1200px } "
    "table { border-collapse: collapse; margin-bottom: 32px } "
    "th, td { padding: 4px 18px 4px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #dedbd4 }"
)


def write_page(
    ranking: Sequence[Row], best: Sequence[Row], objectives: Objectives, importances: Mapping[str, float]
) -> str:
    """Return the page: objectives of every compared trial, parallel coordinates, importances where there are some."""
    from orchestrator.reports.front_plots import (
        front_section,  # not at the top: it needs reports, and those need tracking
    )

    figures = [objective_figure(ranking, best, objectives), coordinates_figure(ranking, objectives)] if ranking else []
    figures += [importance_figure(importances)] if importances else []
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=index == 0)  # one copy of plotly.js, 4.5 MB, serves all
        for index, figure in enumerate(figures)
    ]
    if ranking and len(objectives) > IN_ONE_PLOT:
        parts.insert(1, front_section(ranking, objectives))
    body = "\n".join(parts) or "<p>No trial can be compared yet.</p>"
    return (
        '<!doctype html><html><head><meta charset="utf-8"><title>Sweep</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def objective_figure(ranking: Sequence[Row], best: Sequence[Row], objectives: Objectives) -> Any:
    """Plot the only objective by rank, two against each other with the best trials apart, or more pair by pair."""
    from plotly import graph_objects

    from orchestrator.reports.front_plots import front_figure

    if len(objectives) > IN_ONE_PLOT:
        return front_figure(ranking, objectives).update_layout(title_text=TITLE)
    first, second = (*objectives, None)[:2]
    chosen = {row["trial_id"] for row in best}
    figure = graph_objects.Figure()
    for name, size in (("beaten", 8), ("best", 12)):
        group = [(rank, row) for rank, row in enumerate(ranking, 1) if (row["trial_id"] in chosen) == (name == "best")]
        figure.add_scatter(
            x=[rank if second is None else row["metrics"][first] for rank, row in group],
            y=[row["metrics"][second or first] for _, row in group],
            text=[_hover(row, objectives) for _, row in group],
            hoverinfo="text",
            mode="markers",
            marker_size=size,
            name=name,
        )
    labels = ("rank", first) if second is None else (first, second)
    figure.update_layout(title=TITLE, xaxis_title=labels[0], yaxis_title=labels[1])
    return figure


def coordinates_figure(ranking: Sequence[Row], objectives: Objectives) -> Any:
    """Draw the settings that vary and the objectives as parallel axes, one line a trial."""
    from plotly import graph_objects

    configs = [row["config"] for row in ranking]
    axes = [_axis(key, [config.get(key) for config in configs]) for key in varying(configs)]
    axes += [_axis(metric, [row["metrics"][metric] for row in ranking]) for metric in objectives]
    colours = [row["metrics"][next(iter(objectives))] for row in ranking]
    line = {"color": colours, "colorscale": "Viridis", "showscale": True}
    return graph_objects.Figure(
        graph_objects.Parcoords(dimensions=axes, line=line, labelangle=LABEL_ANGLE, labelfont_size=11),
        layout={"title": {"text": "Settings and objectives", "y": 0.98}, "margin": {"t": 190, "r": 150}, "height": 600},
    )


def importance_figure(shares: Mapping[str, float]) -> Any:
    """Draw each setting's share in reaching the best results."""
    from plotly import graph_objects

    names = sorted(shares, key=lambda name: shares[name])
    return graph_objects.Figure(
        graph_objects.Bar(x=[shares[name] for name in names], y=names, orientation="h"),
        layout={"title": {"text": "Importance of the settings for the best results"}},
    )


def _hover(row: Row, objectives: Objectives) -> str:
    values = [f"{metric} = {row['metrics'][metric]:.4g}" for metric in objectives]
    return "<br>".join([row["trial_id"], *values, *(f"{key} = {value}" for key, value in row["config"].items())])


def _axis(label: str, values: list[Any]) -> dict[str, Any]:
    """Return a parallel axis: numbers as they are, above those that lack; anything else by the rank of its text."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values):
        return {"label": label, "values": values}
    if numbers and len(numbers) + values.count(None) == len(values):
        low, high = min(numbers), max(numbers)
        absent = low - ABSENT_BELOW * ((high - low) or 1)
        return {
            "label": label,
            "values": [absent if value is None else value for value in values],
            "tickvals": [absent, low, high],
            "ticktext": ["none", f"{low:.3g}", f"{high:.3g}"],
        }
    texts = sorted({str(value) for value in values})
    return {
        "label": label,
        "values": [texts.index(str(value)) for value in values],
        "tickvals": list(range(len(texts))),
        "ticktext": texts,
    }
