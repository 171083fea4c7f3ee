"""Charts and images of evaluations hold what the evaluations hold, each next to its like."""

from typing import Any

import pytest

from orchestrator.reports.evaluation_charts import charts
from orchestrator.reports.plot_style import LIGHT, line_styles

Builder = Any
"""The `SweepBuilder` of conftest.py."""
CROSS_ENTROPY = {"objective.kind": "cross_entropy"}
CONTRASTIVE = {"objective.kind": "contrastive", "objective.background_weight": 1.0}


def curve(chart: str, name: str, x: list[float], y: list[float | None], x_label: str = "share") -> dict[str, Any]:
    return {"chart": chart, "name": name, "x_label": x_label, "y_label": "accuracy", "x": x, "y": y}


@pytest.fixture(autouse=True)
def _trials(sweep: Builder) -> None:
    sweep.trial("a", CROSS_ENTROPY, {"val/accuracy": 0.5})
    sweep.trial("b", CONTRASTIVE, {"val/accuracy": 0.5})


def found_charts(sweep: Builder) -> dict[str, Any]:
    runs = [sweep.run("a"), sweep.run("b")]
    return charts(runs, line_styles([run.row for run in runs]))


def test_a_chart_has_a_figure_for_each_name_and_a_line_for_each_run(sweep: Builder) -> None:
    for trial, y in (("a", 0.25), ("b", 0.75)):
        sweep.evaluation(trial, "attribution-one", curves=[curve("flipping", "one", [0, 1], [1, y])])
        sweep.evaluation(trial, "attribution-two", curves=[curve("flipping", "two", [0, 1], [1, y])])
    (chart,) = found_charts(sweep)["attribution"]
    assert (chart.title, chart.y_label) == ("flipping", "accuracy")
    assert [drawing.figure.layout.title.text for drawing in chart.drawings] == ["one", "two"]
    lines = chart.drawings[1].figure.data
    assert [(line.name, line.y, line.line.color, line.line.dash) for line in lines] == [
        ("first/a", (1, 0.25), LIGHT["ink"], "dash"),
        ("first/b", (1, 0.75), LIGHT["accent"], None),
    ]


def test_a_run_without_the_curve_leaves_the_others_colours_alone(sweep: Builder) -> None:
    sweep.evaluation("b", "adversarial-x", curves=[curve("attack", "PGD", [0, 1], [0.5, None])])
    (chart,) = found_charts(sweep)["adversarial"]
    (drawing,) = chart.drawings
    assert drawing.figure.layout.title.text == "attack: PGD"
    (line,) = drawing.figure.data
    assert (line.name, line.line.color, line.y) == ("first/b", LIGHT["accent"], (0.5, None))


def test_radii_have_a_logarithmic_axis_with_zero_a_decade_below(sweep: Builder) -> None:
    sweep.evaluation("a", "adversarial-x", curves=[curve("attack", "PGD", [0, 0.01, 1], [1, 0.5, 0], "eps")])
    figure = found_charts(sweep)["adversarial"][0].drawings[0].figure
    assert list(figure.data[0].x) == pytest.approx([-3, -2, 0])
    assert figure.data[0].hovertext[1] == "first/a<br>eps 0.01"


def test_shares_have_one_scale_and_other_figures_their_own(sweep: Builder) -> None:
    curves = [curve("shares", "one", [0, 1], [0.25, 0.5]), curve("logits", "one", [0, 1], [3, 8])]
    sweep.evaluation("a", "attribution-x", curves=curves)
    logits, shares = (chart.drawings[0].figure for chart in found_charts(sweep)["attribution"])
    assert shares.layout.yaxis.range == (-0.03, 1.03)
    assert logits.layout.yaxis.range is None


def test_names_are_escaped(sweep: Builder) -> None:
    hostile = "<a href=x>y</a>"
    sweep.evaluation("a", "attribution-x", curves=[curve(hostile, hostile, [0], [1], hostile)])
    figure = found_charts(sweep)["attribution"][0].drawings[0].figure
    texts = [figure.layout.title.text, figure.layout.xaxis.title.text, figure.data[0].hovertext[0]]
    assert all("&lt;a href=x&gt;" in text and "<a" not in text for text in texts)
