"""Shapes of objectives."""

from orchestrator.reports.objective_marks import SYMBOLS, objective_marks
from orchestrator.results.trial_rows import TrialRow


def row(kind: str, **parts: float) -> TrialRow:
    fields = {"KL": "objective.divergence.weight", "noise": "objective.background_noise"}
    config = {"objective.kind": kind} | {fields[name]: value for name, value in parts.items()}
    return TrialRow(trial_id=kind, run_id=None, status="completed", epoch=1, config=config, metrics={})


def test_parts_have_shapes_of_their_own_and_weights_have_not() -> None:
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
