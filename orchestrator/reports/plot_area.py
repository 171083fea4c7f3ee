"""An empty figure in the page's colours, into which every chart is drawn."""

import html

from plotly import graph_objects as go

from orchestrator.reports.theme import FONT, LIGHT

AXIS = {
    "showgrid": True,
    "gridcolor": LIGHT["rule"],
    "linecolor": LIGHT["faint"],
    "zeroline": False,
    "fixedrange": True,
    "automargin": True,
}
TITLE_SIZE = 13


def plot_area(*, height: int, x: str, y: str, top: int = 34) -> go.Figure:
    """Return a figure without data.

    Args:
        height: In pixels, with the `top` of them above the plot.
        x: Name of the horizontal axis.
        y: Name of what is drawn, above the plot.
    """
    # With y's name above the plot and not beside it, a narrow screen keeps its width for the data.
    return go.Figure(
        layout={
            "template": go.layout.Template(),
            "height": height,
            "margin": {"l": 8, "r": 12, "t": top, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 12, "color": LIGHT["muted"]},
            "hoverlabel": {
                "bgcolor": LIGHT["raised"],
                "bordercolor": LIGHT["faint"],
                "font": {"family": FONT, "color": LIGHT["ink"]},
                "align": "left",
            },
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
            "title": {
                "text": html.escape(y),
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": 1,
                "yref": "container",
                "yanchor": "top",
                "pad": {"t": 4},
                "font": {"size": TITLE_SIZE, "color": LIGHT["ink"]},
            },
            "xaxis": {**AXIS, "title": {"text": html.escape(x), "font": {"size": 12}}},
            "yaxis": AXIS,
            "dragmode": False,
        }
    )
