"""Mean influence of several runs: one scale for all, and the images of earlier versions where there are no numbers."""

from typing import Any

import pytest

from orchestrator.reports.mean_influence import influence_figure, mean_influence
from trainables.trial_folder import write_json

Builder = Any
"""The `SweepBuilder` of conftest.py."""
CROSS_ENTROPY = {"objective.kind": "cross_entropy"}
LOW, HIGH = [[0.0, 1.0], [2.0, 1.0]], [[None, 1.0], [5.0, 1.0]]


@pytest.fixture
def pair(sweep: Builder) -> Builder:
    for trial in "ab":
        sweep.trial(trial, CROSS_ENTROPY, {"val/accuracy": 0.5})
        sweep.evaluation(trial, "mean_influence", images={"mean_influence": "red"})
    return sweep


def keep(sweep: Builder, trial: str, **grids: object) -> None:
    write_json(sweep.folder.trial(trial).path / "evaluation" / "mean_influence" / "grids.json", grids)


def test_all_maps_have_one_scale(pair: Builder) -> None:
    keep(pair, "a", influence=LOW, around=LOW)
    keep(pair, "b", influence=LOW, around=HIGH)
    found = mean_influence([pair.run("a"), pair.run("b")], ["A", "B"])
    assert found is not None
    assert found.drawing is not None
    assert found.has_around
    figure = found.drawing.figure
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"}
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 5.0)
    assert [note.text for note in figure.layout.annotations] == [
        f"{label}<br>{where}" for where in ("around the object", "over the whole image") for label in "AB"
    ]


def test_the_box_is_the_middle_half_of_the_maps_around_the_object() -> None:
    figure = influence_figure({"A": {"around": [[1.0] * 8] * 8, "influence": LOW}})
    (box,) = figure.layout.shapes
    assert (box.x0, box.x1, box.y0, box.y1) == (1.5, 5.5, 1.5, 5.5)


def test_runs_without_numbers_have_their_images(pair: Builder) -> None:
    keep(pair, "a", influence=LOW)
    found = mean_influence([pair.run("a"), pair.run("b")], ["A", "B"])
    assert found is not None
    assert found.drawing is None
    assert found.images is not None
    assert [row.image for row in found.images.rows] == ["mean_influence"]


def test_runs_without_the_evaluation_have_none(sweep: Builder) -> None:
    sweep.trial("a", CROSS_ENTROPY, {"val/accuracy": 0.5})
    assert mean_influence([sweep.run("a")], ["A"]) is None
