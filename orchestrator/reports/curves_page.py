"""The curves of a trial's evaluation, as one interactive page."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.files.evaluation_files import Part


def charts_page(parts: Sequence[Part]) -> str | None:
    """Return a page that needs no network with the curves of all parts, a figure a chart; None without curves."""
    curves = [curve for part in parts for curve in part.curves]
    figures = [_chart([curve for curve in curves if curve["chart"] == chart]) for chart in _charts(curves)]
    if not figures:
        return None
    body = "\n".join(
        figure.to_html(full_html=False, include_plotlyjs=index == 0) for index, figure in enumerate(figures)
    )
    return (
        '<!doctype html><html><head><meta charset="utf-8"><title>Evaluation</title></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _charts(curves: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(curve["chart"]) for curve in curves))


def _chart(curves: Sequence[Mapping[str, Any]]) -> Any:
    from plotly import graph_objects

    figure = graph_objects.Figure()
    for curve in curves:
        figure.add_scatter(x=curve["x"], y=curve["y"], name=curve["name"], mode="lines+markers", marker_size=4)
    first = curves[0]
    return figure.update_layout(title=first["chart"], xaxis_title=first["x_label"], yaxis_title=first["y_label"])
