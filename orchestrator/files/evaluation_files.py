"""The finished parts of a trial's evaluation, and their curves as one interactive page."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.json_file import parse_object


@dataclass(frozen=True)
class Part:
    """One part: its file, its pictures, and a digest that tells one result from another."""

    name: str
    file: Path
    digest: str
    pictures: tuple[Path, ...]
    curves: tuple[Mapping[str, Any], ...]
    settings: Mapping[str, Any]
    samples: Mapping[str, Mapping[str, float | None]]
    """By metric, each picture's value by its id."""
    seconds: float | None


def read_parts(folder: Path) -> tuple[Part, ...]:
    """Return the parts `<folder>/<part>.json`, with the pictures `<folder>/<part>/<name>.png`, by name.

    Raises:
        BrokenFileError: A file holds no JSON object; the message names it.
    """
    return tuple(_read_part(path) for path in sorted(folder.glob("*.json")))


def _read_part(path: Path) -> Part:
    document = parse_object(path.read_text(encoding="utf-8"), str(path))
    lasting = {name: value for name, value in document.items() if name != "seconds"}
    return Part(
        name=path.stem,
        file=path,
        digest=hashlib.sha256(json.dumps(lasting).encode()).hexdigest()[:12],
        pictures=tuple(sorted(path.with_suffix("").glob("*.png"))),
        curves=tuple(document.get("curves", ())),
        settings=document.get("settings", {}),
        samples=document.get("samples", {}),
        seconds=document.get("seconds"),
    )


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
