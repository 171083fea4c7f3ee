"""The front over three goals and more, on trials of which the front is known."""

import pytest

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.reports.pareto_front import Value, explanation, front_table, goal_pairs, goal_panels, has_panels
from orchestrator.results.trial_rows import TrialRow

UP, DOWN, ELSEWHERE = "val/accuracy", "val/background/influence_share", "shift/dogs-vs-cats/accuracy"
GOALS = [SweepGoal(metric=UP, direction="max"), SweepGoal(metric=DOWN, direction="min")]
GOALS += [SweepGoal(metric=ELSEWHERE, direction="max")]


def row(trial_id: str, accuracy: float, share: float, shifted: float | None, **config: object) -> TrialRow:
    objective = {"objective.kind": "cross_entropy"} | config
    metrics = {UP: accuracy, DOWN: share, ELSEWHERE: shifted}
    return TrialRow(trial_id=trial_id, run_id=None, status="completed", epoch=1, config=objective, metrics=metrics)


ROWS = [
    row("0000", 0.70, 0.80, 0.60),
    row("0001", 0.75, 0.50, 0.62, **{"objective.divergence.weight": 1.0, "objective.background_noise": 0.5}),
    row("0002", 0.72, 0.30, 0.58, **{"objective.kind": "contrastive", "objective.background_weight": 0.1}),
    row("0003", 0.65, 0.85, 0.90, **{"objective.kind": "contrastive", "objective.background_weight": 1.0}),
    row("0004", 0.99, 0.01, None),
]
"""0003 is on the front by its third goal alone, 0000 is dominated by 0001 in all, and 0004 lacks a goal."""


def panel(index: int, name: str) -> set[tuple[float, float]]:
    """Return the places of the marks of that name in a panel, counted from 1."""
    axis = "x" if index == 1 else f"x{index}"
    traces = [trace for trace in goal_panels(ROWS, GOALS).data if trace.name == name and trace.xaxis == axis]
    return {place for trace in traces for place in zip(trace.x, trace.y, strict=True)}


def test_every_pair_of_goals_has_a_panel_with_the_front_over_all() -> None:
    assert panel(1, "Pareto front") == {(0.50, 0.75), (0.30, 0.72), (0.85, 0.65)}
    assert panel(2, "Pareto front") == {(0.62, 0.75), (0.58, 0.72), (0.90, 0.65)}
    assert panel(3, "Pareto front") == {(0.62, 0.50), (0.58, 0.30), (0.90, 0.85)}
    assert [panel(index, "dominated") for index in (1, 2, 3)] == [{(0.80, 0.70)}, {(0.60, 0.70)}, {(0.60, 0.80)}]


def test_axes_say_which_way_is_better() -> None:
    layout = goal_panels(ROWS, GOALS).layout
    assert layout.xaxis.title.text == f"{DOWN}<br>lower is better"
    assert layout.yaxis.title.text == f"{UP}<br>higher is better"
    assert (layout.xaxis3.title.text, layout.yaxis3.title.text) == (layout.xaxis2.title.text, layout.xaxis.title.text)


def test_front_stands_out_and_lies_above() -> None:
    marks = [trace for trace in goal_panels(ROWS, GOALS).data if trace.xaxis == "x" and not trace.showlegend]
    drawn = [trace for trace in marks if trace.name in ("dominated", "Pareto front")]
    assert [trace.name for trace in drawn] == ["dominated", "Pareto front", "Pareto front"]
    assert drawn[0].marker.size < drawn[1].marker.size
    assert drawn[0].marker.color != drawn[1].marker.color


def test_legend_names_each_objective_with_its_parts_once() -> None:
    shown = [trace for trace in goal_panels(ROWS, GOALS).data if trace.showlegend is not False]
    assert [trace.name for trace in shown] == ["cross-entropy", "contrastive", "cross-entropy + KL + noise"]
    assert len({trace.marker.symbol for trace in shown}) == 3


def test_hover_text_is_escaped() -> None:
    figure = goal_panels([row("<b>x</b>", 0.5, 0.5, 0.5)], GOALS)
    assert figure.data[0].hovertext[0].startswith("&lt;b&gt;x")


def test_of_more_than_four_goals_the_first_four_are_drawn_and_all_count() -> None:
    goals = [SweepGoal(metric=name, direction="max") for name in "abcde"]
    pairs = [(across.metric, upwards.metric) for across, upwards in goal_pairs(goals)]
    assert pairs == [("b", "a"), ("c", "a"), ("d", "a"), ("c", "b"), ("d", "b"), ("d", "c")]
    rows = [row("wins-in-e", 0, 0, 0), row("other", 0, 0, 0)]
    rows[0]["metrics"] = dict.fromkeys("abcd", 0.1) | {"e": 1.0}
    rows[1]["metrics"] = dict.fromkeys("abcd", 0.2) | {"e": 0.0}
    names = {trace.name for trace in goal_panels(rows, goals).data}
    assert "dominated" not in names
    assert explanation(goals).endswith("Goals that count but are not drawn: e.")
    assert "not drawn" not in explanation(goals[:4])


@pytest.mark.parametrize(("number", "expected"), [(1, False), (2, False), (3, True)])
def test_two_goals_fit_one_plot(number: int, expected: bool) -> None:
    assert has_panels(GOALS[:number]) == expected


def test_table_holds_the_front_with_objectives_and_best_values() -> None:
    table = front_table(ROWS, GOALS)
    assert table.heads == ((UP, "higher is better"), (DOWN, "lower is better"), (ELSEWHERE, "higher is better"))
    assert [(line.trial_id, line.objective) for line in table.lines] == [
        ("0001", "cross-entropy + KL 1 + noise 0.5"),
        ("0002", "contrastive, background weight 0.1"),
        ("0003", "contrastive, background weight 1"),
    ]
    assert [[value.is_best for value in line.values] for line in table.lines] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]
    assert table.lines[0].values[0] == Value("0.750", True)


def test_table_of_no_trial_is_empty() -> None:
    assert front_table([], GOALS).lines == ()
