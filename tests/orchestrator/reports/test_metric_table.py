"""The table of metrics: groups, marks and words."""

from typing import Any

import pytest

from orchestrator.reports.metric_table import best_values, headlines, tables
from orchestrator.results.run_differences import run_differences
from trainables.json_file import write_json

Builder = Any
"""The `SweepBuilder` of conftest.py."""
SHARE = "val/background/influence_share"
CROSS_ENTROPY = {"objective.kind": "cross_entropy"}


def pair(sweep: Builder, first: dict[str, float], second: dict[str, float]) -> list[Any]:
    sweep.trial("a", CROSS_ENTROPY, first)
    sweep.trial("b", CROSS_ENTROPY, second)
    return [sweep.run("a"), sweep.run("b")]


def test_metrics_stand_under_their_category_and_group(sweep: Builder) -> None:
    names = ["val/accuracy", SHARE, "shift/far/accuracy", "shift/far/confidence", "new/metric"]
    runs = pair(sweep, dict.fromkeys(names, 0.5), dict.fromkeys(names, 0.5))
    found = tables(runs, run_differences(runs))
    lines = {
        category: [(group.name, line.label, line.arrow) for group in table.groups for line in group.lines]
        for category, table in found.items()
    }
    assert lines == {
        "accuracy": [("", "val/accuracy", "↑")],
        "background": [("", SHARE, "↓")],
        "shift": [("far", "accuracy", "↑"), ("far", "confidence", "")],
        "other": [("", "new/metric", "")],
    }


def test_a_line_says_what_each_run_has_and_how_they_differ(sweep: Builder) -> None:
    runs = pair(sweep, {SHARE: 0.75}, {SHARE: 0.25})
    (line,) = tables(runs, run_differences(runs))["background"].groups[0].lines
    assert [(cell.text, cell.is_best, cell.difference, cell.verdict) for cell in line.cells] == [
        ("0.750", False, "", ""),
        ("0.250", True, "−0.500", "better"),  # noqa: RUF001
    ]
    assert "ContrastiveCAMs" in line.meaning


def test_a_paired_difference_is_worded_with_its_interval(sweep: Builder) -> None:
    runs = pair(sweep, {SHARE: 0.75}, {SHARE: 0.25})
    images = [str(number) for number in range(10)]
    for trial, share in (("a", 0.75), ("b", 0.25)):
        samples = {"correct": dict.fromkeys(images, 1), SHARE: dict.fromkeys(images, share)}
        sweep.evaluation(trial, "influence", samples=samples)
    runs = [sweep.run("a"), sweep.run("b")]
    table = tables(runs, run_differences(runs))["background"]
    cell = table.groups[0].lines[0].cells[1]
    assert (cell.paired, cell.num_pictures) == ("−0.500 (−0.500 to −0.500)", 10)  # noqa: RUF001
    assert table.has_paired


def test_many_figures_are_folded(sweep: Builder) -> None:
    few = {f"shift/{name}/accuracy": 0.5 for name in range(30)}
    runs = pair(sweep, few, few)
    assert not tables(runs, [])["shift"].is_folded
    many = few | {"shift/one/accuracy": 0.5}
    runs = pair(sweep, many, many)
    assert tables(runs, [])["shift"].is_folded


def test_headlines_have_an_order_of_their_own(sweep: Builder) -> None:
    figures = {SHARE: 0.5, "val/accuracy": 0.5, "val/loss": 0.5, "val/background/rfs": 0.1}
    runs = pair(sweep, figures, figures)
    assert [line.metric for line in headlines(runs, []).lines] == ["val/accuracy", SHARE, "val/background/rfs"]


@pytest.mark.parametrize(
    ("values", "better", "expected"),
    [
        ([0.1, 0.2, 0.15], "max", [False, True, False]),
        ([0.1, 0.2, 0.15], "min", [True, False, False]),
        ([0.2, 0.1, 0.2001], "max", [True, False, True]),
        ([0.2, 0.2001], "max", [False, False]),
        ([0.1, 0.2], None, [False, False]),
        ([None, 0.2, 0.1], "max", [False, True, False]),
        ([None, None], "max", [False, False]),
    ],
)
def test_best_values(values: list[float | None], better: str | None, expected: list[bool]) -> None:
    assert best_values(values, better) == expected


def test_an_accuracy_has_its_standard_error(sweep: Builder) -> None:
    pair(sweep, {"val/accuracy": 0.75, SHARE: 0.5}, {"val/accuracy": 0.75, SHARE: 0.5})
    write_json(sweep.folder.trial("a").path / "data.json", {"num_val": 4})
    runs = [sweep.run("a"), sweep.run("b")]
    found = tables(runs, run_differences(runs))
    (accuracy,), (share,) = (found[name].groups[0].lines for name in ("accuracy", "background"))
    assert [(cell.text, cell.error) for cell in accuracy.cells] == [("0.750", "± 0.200"), ("0.750", "")]
    assert [cell.error for cell in share.cells] == ["", ""]
