"""Axes, lines and marks of trials."""

import math

import pytest

from orchestrator.reports.plot_style import LIGHT, SYMBOLS, LogAxis, line_styles, objective_marks
from orchestrator.results.trial_rows import TrialRow


def row(kind: str, **added: float) -> TrialRow:
    fields = {"KL": "objective.divergence.weight", "noise": "objective.background_noise"}
    config = {"objective.kind": kind} | {fields[name]: value for name, value in added.items()}
    return TrialRow(trial_id=kind, run_id=None, status="completed", epoch=1, config=config, metrics={})


def test_cross_entropy_is_broken_and_in_ink_and_no_two_runs_look_alike() -> None:
    styles = line_styles(list(map(row, ("contrastive", "cross_entropy", "contrastive", "cross_entropy", "other"))))
    assert [(style.colour, style.dash) for style in styles] == [
        ("accent", "solid"),
        ("ink", "dash"),
        ("scale_middle", "solid"),
        ("muted", "dot"),
        ("scale_low", "solid"),
    ]


def test_cross_entropy_with_noise_is_no_reference() -> None:
    noisy = row("cross_entropy")
    noisy["config"]["objective.background_noise"] = 0.5
    assert [style.colour for style in line_styles([noisy, row("cross_entropy")])] == ["accent", "ink"]


def test_more_runs_than_styles_start_again() -> None:
    styles = line_styles([row("contrastive")] * 5)
    assert styles[4] == styles[0]


def test_figure_and_key_show_the_same_line() -> None:
    (style,) = line_styles([row("cross_entropy")])
    assert style.plotly == {"color": LIGHT["ink"], "dash": "dash"}
    assert style.css == "--line: var(--ink); --dash: dashed"


def test_regularisers_have_their_own_shapes_and_weights_have_not() -> None:
    rows = [row("contrastive", KL=1), row("cross_entropy"), row("cross_entropy", noise=0.5), row("contrastive", KL=9)]
    marks = objective_marks(rows)
    assert [(mark.name, mark.symbol, len(mark.rows)) for mark in marks] == [
        ("cross-entropy", "diamond", 1),
        ("contrastive + KL", "circle", 2),
        ("cross-entropy + noise", "square", 1),
    ]


def test_the_smallest_groups_share_a_shape_where_there_are_many() -> None:
    kinds = [f"kind-{index}" for index in range(len(SYMBOLS) + 2)]
    rows = [row(kind) for kind in kinds for _ in range(2)] + [row("last")]
    marks = objective_marks(rows)
    assert len({mark.symbol for mark in marks}) == len(SYMBOLS) + 1
    assert marks[-1].name == "any other"
    assert [found["trial_id"] for found in marks[-1].rows] == [kinds[-2], kinds[-2], kinds[-1], kinds[-1], "last"]
    assert sum(len(mark.rows) for mark in marks) == len(rows)


def test_no_trial_has_no_mark() -> None:
    assert objective_marks([]) == []


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.01, 10], ["0.01", "0.1", "1", "10"]),
        ([0.1, 1], ["0.1", "0.2", "0.5", "1"]),
        ([0, 0.01, 1], ["0", "0.01", "0.1", "1"]),
        ([0.3], ["0.3"]),
        ([0], ["0", "1"]),
        ([], ["1"]),
    ],
)
def test_log_axis_ticks(values: list[float], labels: list[str]) -> None:
    axis = LogAxis.of(values)
    assert axis.tick_labels == labels
    assert all(math.isfinite(position) for position in axis.tick_positions)
    assert axis.padded_range[0] < axis.padded_range[1]


def test_zero_lies_a_decade_below_the_smallest_weight() -> None:
    assert LogAxis.of([0, 0.01, 1]).position(0) == pytest.approx(-3)
