"""The table of the gap has what both sets of images have."""

from typing import Any

from orchestrator.reports.inspection.gap import diagnosis


def test_rows_are_the_figures_of_both_sets(make_run: Any) -> None:
    metrics = {
        "test/gap/train_accuracy": 0.75,
        "test/gap/accuracy": 0.5,
        "test/gap/train_margin": 2.0,
        "test/gap/background_lost_share": 0.625,
        "test/gap/refit_on_train_accuracy": None,
    }
    found = diagnosis(make_run("1", "gap", metrics=metrics))
    assert [(row.name, row.train, row.split, row.lost) for row in found.rows] == [
        ("Accuracy", "0.750", "0.500", "+0.250")
    ]
    assert found.split == "Test"
    assert list(found.facts.values()) == ["62%", "–", "–"]  # noqa: RUF001
