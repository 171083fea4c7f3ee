"""The page of figures on the parent run, on trials of which the front is known."""

import re
from typing import Any

import pytest

from orchestrator.reports.sweep_page import Objectives, coordinates_figure, objective_figure, write_page
from tests.harness.page_reading import Page

THREE: Objectives = {"val/accuracy": "max", "val/background/gap": "min", "shift/accuracy": "max"}
TWO: Objectives = {"val/accuracy": "max", "val/background/gap": "min"}


def row(trial_id: str, *figures: float, **config: Any) -> dict[str, Any]:
    return {
        "trial_id": trial_id,
        "run_id": None,
        "status": "completed",
        "epoch": 1,
        "config": {"objective.kind": "contrastive", "objective.background_weight": 0.3, **config},
        "metrics": dict(zip(THREE, figures, strict=True)),
    }


ON_FRONT = [
    row("<t1>", 0.9, 0.5, 0.5),
    row("t2", 0.8, 0.3, 0.5),
    row("t3", 0.6, 0.9, 0.9, **{"objective.background_noise": 1.0}),
]
RANKING = [*ON_FRONT, row("t4", 0.8, 0.6, 0.4)]
"""t3 is on the front by the third objective alone."""


def places(figure: Any, name: str, axis: str) -> set[tuple[float, float]]:
    traces = [trace for trace in figure.data if trace.name == name and trace.xaxis == axis]
    return {place for trace in traces for place in zip(trace.x, trace.y, strict=True)}


def test_three_objectives_are_drawn_in_pairs_with_the_front_over_all() -> None:
    figure = objective_figure(RANKING, ON_FRONT, THREE)
    assert places(figure, "Pareto front", "x") == {(0.5, 0.9), (0.3, 0.8), (0.9, 0.6)}
    assert places(figure, "Pareto front", "x2") == {(0.5, 0.9), (0.5, 0.8), (0.9, 0.6)}
    assert places(figure, "Pareto front", "x3") == {(0.5, 0.5), (0.5, 0.3), (0.9, 0.9)}
    assert places(figure, "dominated", "x3") == {(0.4, 0.6)}
    assert figure.layout.xaxis.title.text == "val/background/gap<br>lower is better"


def test_page_of_three_objectives_explains_the_front_and_lists_it() -> None:
    page = write_page(RANKING, ON_FRONT, THREE, {})
    assert "because it wins in another goal" in page
    read = Page(page)
    assert "val/background/gaplower is better" in read.text
    assert "t3contrastive + noise 1, background weight 0.30.6000.9000.900" in read.text
    assert '<th scope="row">&lt;t1&gt;</th>' in page
    assert '<th scope="row">t4</th>' not in page


def test_axes_are_of_settings_that_differ_and_say_who_has_none() -> None:
    weight, scale, where = (f"objective.divergence.{name}" for name in ("weight", "map_scale", "where"))
    trials = [
        row("0", 0.9, 0.5, 0.5, **{weight: None, scale: None, "seed": 0}),
        row("1", 0.8, 0.3, 0.5, **{weight: 1.0, scale: 10.0, where: "map", "seed": 0}),
        row("2", 0.6, 0.9, 0.9, **{weight: 3.0, scale: 10.0, where: "foreground", "seed": 0}),
    ]
    (lines,) = coordinates_figure(trials, THREE).data
    axes = {axis.label: axis for axis in lines.dimensions}
    assert list(axes) == [weight, where, *THREE]
    assert list(axes[weight].values) == pytest.approx([0.7, 1.0, 3.0])
    assert list(axes[weight].ticktext) == ["none", "1", "3"]
    assert list(axes[where].ticktext) == ["None", "foreground", "map"]
    assert list(axes["val/accuracy"].values) == [0.9, 0.8, 0.6]


def test_two_objectives_are_set_against_each_other() -> None:
    figure = objective_figure(RANKING, ON_FRONT[:2], TWO)
    assert [(trace.name, trace.x) for trace in figure.data] == [("dominated", (0.6, 0.8)), ("best", (0.9, 0.8))]
    assert "The Pareto front" not in write_page(RANKING, ON_FRONT[:2], TWO, {})


def test_no_trial_has_no_front() -> None:
    page = write_page([], [], THREE, {"lr": 1.0})
    assert "The Pareto front" not in page
    assert "Importance of the settings" in page


def test_plots_need_no_network() -> None:
    page = write_page(RANKING, ON_FRONT[:2], TWO, {"lr": 0.7, "noise": 0.3})
    assert len(Page(page).figures) == 3
    assert re.findall(r"<script[^>]*src=", page) == []
    for title in ("Objectives of the completed trials", "Settings and objectives", "Importance of the settings"):
        assert title in page
