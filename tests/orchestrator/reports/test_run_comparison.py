"""The page that compares runs: its content, that it needs nothing else, and that hostile text stays text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.reports.run_comparison import comparison_document, evaluation_section, write_comparison
from tests.harness.page_reading import Page
from trainables.json_file import write_json

Builder = Any
"""The `SweepBuilder` of conftest.py."""
SHARE = "val/background/influence_share"
CROSS_ENTROPY = {"objective.kind": "cross_entropy"}
CONTRASTIVE = {"objective.kind": "contrastive", "objective.background_weight": 0.25}
IMAGES = [f"p{number}" for number in range(10)]


@pytest.fixture
def read(sweep: Builder, tmp_path: Path) -> Callable[..., Page]:
    def write_and_read(*trials: str) -> Page:
        path = tmp_path / "elsewhere" / "page.html"
        write_comparison(evaluation_section(list(map(sweep.run, trials))), command="campaign compare", path=path)
        return Page(path.read_text(encoding="utf-8"))

    return write_and_read


def whole_evaluation(sweep: Builder, trial: str, point: dict[str, Any], share: float) -> None:
    sweep.trial(trial, point, {"val/accuracy": 1 - share, SHARE: share})
    samples = {"correct": dict.fromkeys(IMAGES, 1), SHARE: dict.fromkeys(IMAGES, share)}
    curve = {"chart": "flipping", "name": "one", "x_label": "x", "y_label": "y", "x": [0, 1], "y": [1, share]}
    sweep.evaluation(trial, "influence", settings={"num_pictures": 10, "num_empty": 2}, samples=samples)
    sweep.evaluation(trial, "attribution-one", curves=[curve], settings={"seed": 3})
    sweep.evaluation(trial, "gallery", images={"cat": "red"})


def test_each_group_has_its_accuracy_and_number(sweep: Builder, read: Callable[..., Page]) -> None:
    """The second run has one group of the first, and one without images."""
    for trial, accuracy in (("a", {"y=0, place=0": 0.75, "y=0, place=1": 0.5}), ("b", {"y=0, place=1": 0.25})):
        sweep.trial(trial, {}, {"val/accuracy": 0.5})
        settings = {
            "accuracy": {**accuracy, "y=1, place=0": None},
            "num_by_group": {**dict.fromkeys(accuracy, 4), "y=1, place=0": 0},
            "training_share": {"y=0, place=0": 0.625, "y=0, place=1": 0.25, "y=1, place=0": 0.125},
        }
        sweep.evaluation(trial, "groups", settings=settings)
    page = read("a", "b")
    for expected in (
        "GroupShare of trainingAccuracy, first/aAccuracy, first/b",
        "y=0, place=00.6250.750± 0.2004 images–",  # noqa: RUF001
        "y=0, place=10.2500.500± 0.2244 images, the worst group0.250± 0.2004 images, the worst group",
        "y=1, place=00.125––",  # noqa: RUF001
    ):
        assert expected in page.text, expected


def test_whole_comparison(sweep: Builder, read: Callable[..., Page]) -> None:
    whole_evaluation(sweep, "a", CROSS_ENTROPY, 0.75)
    whole_evaluation(sweep, "b", CONTRASTIVE, 0.25)
    page = read("a", "b")
    for expected in (
        "first/a and first/b",
        "first/a: cross-entropy",
        "first/b: contrastive, background weight 0.25",
        "objective.background_weight–0.25",  # noqa: RUF001
        "Background reliance",
        "−0.500 (−0.500 to −0.500)10 images",  # noqa: RUF001
        "Settings of each evaluation",
        "num_empty",
        "campaign compare",
    ):
        assert expected in page.text
    assert len(page.figures) == 1
    assert len(page.attributes("img", "src")) == 2
    assert "warning" not in page.attributes("p", "class")
    assert "--suite full" not in page.text


def test_mean_influence_comes_first_and_once(sweep: Builder, read: Callable[..., Page]) -> None:
    for trial, point in (("a", CROSS_ENTROPY), ("b", CONTRASTIVE)):
        whole_evaluation(sweep, trial, point, 0.5)
        sweep.evaluation(trial, "mean_influence", images={"mean_influence": "red"})
    page = read("a", "b")
    sections = page.attributes("section", "id")
    assert sections[:2] == ["mean_influence", "result"]
    assert len(page.attributes("img", "src")) == 2 + 2


def test_the_best_value_is_marked(sweep: Builder, read: Callable[..., Page]) -> None:
    sweep.trial("a", CROSS_ENTROPY, {SHARE: 0.75})
    sweep.trial("b", CONTRASTIVE, {SHARE: 0.25})
    page = read("a", "b")
    assert page.html.count('<b class="best">0.250</b>') == 2
    assert '<b class="best">0.750</b>' not in page.html


def test_what_does_not_compare_is_a_warning(sweep: Builder, read: Callable[..., Page]) -> None:
    for trial, point, seed in (("a", CROSS_ENTROPY, 0), ("b", CONTRASTIVE, 1)):
        sweep.trial(trial, point, {SHARE: 0.5})
        sweep.evaluation(trial, "pgd", settings={"seed": seed})
    page = read("a", "b")
    assert page.attributes("p", "class").count("warning") == 1
    assert "seed is 0 in first/a and 1 in first/b: the metrics of pgd do not compare." in page.text


def test_quick_runs_are_compared_and_told_of_the_full_suite(sweep: Builder, read: Callable[..., Page]) -> None:
    sweep.trial("a", CROSS_ENTROPY, {"val/accuracy": 0.5})
    sweep.trial("b", CONTRASTIVE, {"val/accuracy": 0.75})
    page = read("a", "b")
    assert "campaign evaluate first/a first/b --suite full" in page.text
    assert "+0.250" in page.text
    assert page.figures == []


def test_a_run_that_was_stopped_has_the_figures_of_its_last_epoch(sweep: Builder) -> None:
    sweep.trial("a", CROSS_ENTROPY, None, epochs=2)
    run = sweep.run("a")
    assert run.metrics == {"val/accuracy": 0.2}


def test_runs_without_a_metric_in_common(sweep: Builder, read: Callable[..., Page]) -> None:
    sweep.trial("a", CROSS_ENTROPY, None, epochs=0)
    sweep.trial("b", CROSS_ENTROPY, {"val/accuracy": 0.5})
    page = read("a", "b")
    assert "The runs have no metric in common." in page.text
    assert "the runs have the same config" in page.text


def test_three_runs(sweep: Builder, read: Callable[..., Page]) -> None:
    for trial, share in (("a", 0.5), ("b", 0.25), ("c", 0.75)):
        sweep.trial(trial, CONTRASTIVE, {SHARE: share})
    page = read("a", "b", "c")
    assert "first/a, first/b and first/c" in page.text
    assert "0.500 0.250 −0.250 0.750 +0.250" in " ".join(page.cells)  # noqa: RUF001


def test_page_needs_nothing_else(sweep: Builder, read: Callable[..., Page]) -> None:
    whole_evaluation(sweep, "a", CROSS_ENTROPY, 0.75)
    whole_evaluation(sweep, "b", CONTRASTIVE, 0.25)
    page = read("a", "b")
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    assert policy in page.attributes("meta", "content")
    assert {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "base", "form"} == set()
    loads = [
        value for _, attributes in page.tags for name in ("src", "href", "srcset") if (value := attributes.get(name))
    ]
    assert loads
    assert all(value.startswith("data:") for value in loads)


def test_hostile_text_stays_text(sweep: Builder, read: Callable[..., Page]) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    for trial in "ab":
        sweep.trial(trial, CROSS_ENTROPY, {f"{hostile}/x": 0.5, "val/accuracy": 0.5})
        curve = {"chart": hostile, "name": hostile, "x_label": hostile, "y_label": hostile, "x": [0], "y": [1]}
        sweep.evaluation(trial, "pgd", settings={hostile: hostile}, curves=[curve], images={'"onload="alert(3)': "red"})
    write_json(sweep.folder.trial("a").path / "data.json", {"name": hostile, "class_names": []})
    page = read("a", "b")
    assert hostile in page.text
    assert hostile not in page.html
    assert not [attributes for _, attributes in page.tags if {"onerror", "onload"} & set(attributes)]
    assert len(page.scripts) == 3 + len(page.figures)


def test_the_same_files_make_the_same_page(sweep: Builder, read: Callable[..., Page]) -> None:
    whole_evaluation(sweep, "a", CROSS_ENTROPY, 0.75)
    whole_evaluation(sweep, "b", CONTRASTIVE, 0.25)
    assert read("a", "b").html == read("a", "b").html


def test_document(sweep: Builder) -> None:
    whole_evaluation(sweep, "a", CROSS_ENTROPY, 0.75)
    whole_evaluation(sweep, "b", CONTRASTIVE, 0.25)
    document = comparison_document(evaluation_section([sweep.run("a"), sweep.run("b")]))
    assert document["runs"][1] == {"run": "first/b", "metrics": {"val/accuracy": 0.75, SHARE: 0.25}}
    assert document["warnings"] == []
    assert json.loads(json.dumps(document["differences"])) == [
        {
            "metric": "val/accuracy",
            "better": "max",
            "run": "first/b",
            "against": "first/a",
            "difference": 0.5,
            "paired": None,
            "is_noise": False,
            "has_few": False,
            "verdict": "better",
        },
        {
            "metric": SHARE,
            "better": "min",
            "run": "first/b",
            "against": "first/a",
            "difference": -0.5,
            "paired": {"mean": -0.5, "low": -0.5, "high": -0.5, "num_pictures": 10},
            "is_noise": False,
            "has_few": False,
            "verdict": "better",
        },
    ]
