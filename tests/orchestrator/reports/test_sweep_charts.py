"""The figures hold the numbers of the trials, and nothing that a browser would read as markup."""

import math
from collections.abc import Sequence

import pytest

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.reports.plot_style import LIGHT
from orchestrator.reports.sweep_charts import curves_figure, tradeoff_figure, weight_figure
from orchestrator.results.best_trials import compare
from orchestrator.results.trial_rows import TrialRow

SHARE = "val/background/influence_share"
ACCURACY = "val/accuracy"
GOALS = (SweepGoal(metric=ACCURACY, direction="max"), SweepGoal(metric=SHARE, direction="min"))


def row(
    trial_id: str, accuracy: float, share: float, weight: float | None = None, status: str = "completed"
) -> TrialRow:
    config = {"objective.kind": "cross_entropy" if weight is None else "contrastive"}
    own = {} if weight is None else {"objective.background_weight": weight}
    metrics: dict[str, float | None] = {ACCURACY: accuracy, SHARE: share}
    return TrialRow(trial_id=trial_id, run_id=None, status=status, epoch=1, config=config | own, metrics=metrics)


ROWS = [
    row("a", 0.95, 0.9),
    row("b", 0.9, 0.5, 0.1),
    row("c", 0.8, 0.2, 10.0),
    row("d", 0.7, 0.6, 1.0),
    row("e", 0.99, 0.01, 1.0, status="stopped"),
]


def traces(rows: Sequence[TrialRow], goals: Sequence[SweepGoal]) -> dict[str, object]:
    figure = tradeoff_figure(rows, goals, ACCURACY, compare(rows, goals))
    return {trace.name: trace for trace in figure.data if trace.x != (None,)}


def test_tradeoff_shows_completed_trials_by_objective() -> None:
    found = traces(ROWS, GOALS)
    assert list(found["contrastive"].x) == [0.5, 0.2, 0.6]
    assert list(found["contrastive"].marker.color) == pytest.approx([-1, 1, 0])
    assert list(found["cross-entropy"].y) == [0.95]


def test_tradeoff_keeps_objectives_with_parts_apart() -> None:
    with_parts = [row("f", 0.85, 0.7), row("g", 0.75, 0.3, 1.0)]
    with_parts[0]["config"] |= {"objective.background_noise": 0.5}
    with_parts[1]["config"] |= {"objective.divergence.weight": 2.0}
    found = traces([*ROWS, *with_parts], GOALS)
    assert list(found["cross-entropy"].y) == [0.95]
    assert list(found["cross-entropy + noise"].y) == [0.85]
    assert list(found["contrastive + KL"].y) == [0.75]
    shapes = [trace.marker.symbol for name, trace in found.items() if name != "Pareto front"]
    assert len(set(shapes)) == 4


def test_marks_without_a_weight_are_in_ink_beside_the_colours() -> None:
    found = traces(ROWS, GOALS)
    assert list(found["cross-entropy"].marker.color) == [LIGHT["ink"]]
    assert found["contrastive"].marker.coloraxis == "coloraxis"


def test_legend_names_each_objective_once_in_a_colour_of_its_own() -> None:
    figure = tradeoff_figure(ROWS, GOALS[:1], ACCURACY, compare(ROWS, GOALS[:1]))
    shown = [trace for trace in figure.data if trace.showlegend is not False]
    assert [trace.name for trace in shown] == ["cross-entropy", "contrastive"]
    assert {trace.marker.color for trace in shown} == {LIGHT["muted"]}


def test_front_is_drawn_as_steps_through_its_trials() -> None:
    front = traces(ROWS, GOALS)["Pareto front"]
    assert list(zip(front.x, front.y, strict=True)) == [(0.2, 0.8), (0.5, 0.9), (0.9, 0.95)]
    assert front.line.shape == "hv"


def test_one_goal_has_no_front() -> None:
    assert "Pareto front" not in traces(ROWS, GOALS[:1])


def test_weight_figure_has_the_reference_level() -> None:
    figure = weight_figure(ROWS, ACCURACY, ROWS[0])
    assert list(figure.data[0].x) == pytest.approx([-1, 1, 0])
    assert figure.layout.shapes[0].y0 == 0.95
    assert figure.layout.yaxis.range[1] > 0.95


def test_weight_figure_does_without_a_reference() -> None:
    assert not weight_figure(ROWS[1:], ACCURACY, None).layout.shapes


def test_hover_text_is_escaped() -> None:
    hostile = row('<a href="https://evil.example">x</a>', 0.5, 0.5, 1.0)
    text = tradeoff_figure([hostile], GOALS, ACCURACY, compare([hostile], GOALS)).data[1].hovertext[0]
    assert "<a" not in text
    assert text.startswith("&lt;a href=")


def test_curves_draw_the_compared_trials_last_through_the_epochs_that_were_measured() -> None:
    epochs = [{"epoch": 1}, {"epoch": 2, ACCURACY: 0.1}, {"epoch": 3, ACCURACY: math.nan}, {"epoch": 4, ACCURACY: 0.3}]
    figure = curves_figure({"a": epochs, "z": epochs[:3]}, ACCURACY, compare(ROWS, GOALS))
    assert [trace.name for trace in figure.data] == ["z", "a"]
    assert (figure.data[1].x, figure.data[1].y) == ((2, 4), (0.1, 0.3))
    assert figure.data[1].line.width > figure.data[0].line.width
    assert (figure.data[0].x, figure.data[0].mode) == ((2,), "lines+markers")
