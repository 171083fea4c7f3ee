"""Curves of one chart share a plot in each run, and a range over runs."""

from typing import Any

import pytest

from orchestrator.reports.inspection.curves import drawings


def curve(chart: str, name: str, y: list[float]) -> dict[str, Any]:
    return {"chart": chart, "name": name, "x_label": "channels kept", "y_label": "accuracy", "x": [1, 100], "y": y}


def test_each_run_has_a_plot_of_the_same_range(make_run: Any) -> None:
    one = make_run("1", "channels", curves=[curve("kept", "by size", [0, 1]), curve("kept", "random", [0, 2])])
    two = make_run("2", "channels", curves=[curve("kept", "by size", [-3, 1]), curve("other", "by size", [5, 6])])
    found = drawings([one, two], "channels", beginning="k")
    assert list(found) == ["kept"]
    (first, plot), (second, other) = found["kept"]
    assert (first, second) == ("first/1", "first/2")
    assert plot
    assert other
    assert [line.name for line in plot.figure.data] == ["by size", "random"]
    assert plot.figure.layout.yaxis.range == other.figure.layout.yaxis.range == pytest.approx((-3.2, 2.2))
    assert list(plot.figure.data[0].x) == [0, 2]


def test_a_run_without_the_curve_keeps_its_place(make_run: Any) -> None:
    one = make_run("1", "channels", curves=[curve("kept", "by size", [0, 1])])
    two = make_run("2", "channels", curves=[curve("removed", "by size", [0, 1])])
    found = drawings([one, two], "channels")
    assert [[(run, plot is not None) for run, plot in plots] for plots in found.values()] == [
        [("first/1", True), ("first/2", False)],
        [("first/1", False), ("first/2", True)],
    ]
