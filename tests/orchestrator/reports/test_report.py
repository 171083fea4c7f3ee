"""The page's content, that it needs nothing else, and that hostile text stays text."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.files.search_state import SearchState
from orchestrator.files.sweep_config import SweepGoal
from orchestrator.reports.report import write_report
from tests.harness.page_reading import Page
from trainables.json_file import write_json

Builder = Any
"""The `SweepBuilder` of conftest.py."""
SHARE_GOAL = SweepGoal(metric="val/background/influence_share", direction="min")
CROSS_ENTROPY = {"objective.kind": "cross_entropy"}


def contrastive(weight: float) -> dict[str, Any]:
    return {"objective.kind": "contrastive", "objective.background_weight": weight}


def metrics(val: float | None, share: float | None = 0.5) -> dict[str, float | None]:
    return {
        "val/accuracy": val,
        "shift/random_background/accuracy": None if val is None else 1 - val,
        "val/background/influence_share": share,
        "val/faithfulness/max_logit_error": 2.4e-7,
    }


@pytest.fixture
def read(sweep: Builder) -> Callable[[], Page]:
    def write_and_read() -> Page:
        path = write_report(sweep.folder, sweep.rows(), command="campaign sweep digits-background-weight")
        return Page(path.read_text(encoding="utf-8"))

    return write_and_read


def test_default_and_given_path(sweep: Builder, tmp_path: Path) -> None:
    assert write_report(sweep.folder, [], command="") == sweep.folder.path / "report.html"
    path = tmp_path / "elsewhere" / "page.html"
    assert write_report(sweep.folder, [], command="", path=path) == path
    assert path.exists()


def test_metrics_are_drawn_over_the_background_weight_where_it_varies(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.settings = {"num_trials": 3}
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.9, 0.8))
    sweep.trial("0001", contrastive(1.0), metrics(0.95, 0.4))
    assert "By background weight" not in read().text
    sweep.trial("0002", contrastive(0.1), metrics(0.9, 0.5))
    assert "By background weight" in read().text


def test_whole_sweep(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.settings = {"num_trials": 6, "seed": 7}
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.9, 0.8), panels=("val-1", "val-2"))
    sweep.trial("0001", contrastive(0.1), metrics(0.95, 0.4), panels=("val-1", "val-2"))
    sweep.trial("0002", contrastive(1.0), metrics(0.8, 0.2))
    sweep.trial("0003", contrastive(9.0), None, error="FloatingPointError: the training loss is nan")
    sweep.trial("0004", contrastive(2.0), None)
    write_json(sweep.folder.trial("0001").path / "data.json", {"name": "spurious_digits", "digest": "0123abcd"})
    write_json(sweep.folder.path / "provenance.json", {"campaign.version.torch": "2.15.0"})
    page = read()
    for expected in (
        "Does penalising the background free the digits from their textures?",
        "5: 3 completed, 1 stopped, 1 failed, 1 not started",
        "The best trial, 0001 (contrastive, background weight 0.1), has a val/accuracy of 0.950, against 0.900 of the "
        "best cross-entropy trial, 0000 (cross-entropy)",
        "FloatingPointError: the training loss is nan",
        "campaign sweep digits-background-weight",
        "0123abcd",
        "version.torch",
        "2.15.0",
    ):
        assert expected in page.text
    # Trade-off, three metrics by weight, and the two of the three curves that the rows have.
    assert len(page.figures) == 1 + 3 + 2
    assert len(page.attributes("img", "src")) == 4


def test_leaderboard_sorts_by_values_and_not_by_what_is_shown(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.123456))
    sweep.trial("0001", contrastive(1.0), metrics(0.5))
    page = read()
    assert "0.123456" in page.attributes("td", "data-value")
    assert page.attributes("th", "aria-sort") == ["ascending"]


def test_panels_stand_next_to_those_of_the_same_image(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.5))
    sweep.trial("0001", contrastive(1.0), metrics(0.9))
    sweep.panel("0001", "old", epoch=1)
    both = [sweep.panel(trial, "b", epoch=2, colour=colour) for trial, colour in (("0001", "red"), ("0000", "blue"))]
    only_best = sweep.panel("0001", "a", epoch=2, colour="green")
    page = read()
    expected = [base64.b64encode(path.read_bytes()).decode() for path in (*both, only_best)]
    assert page.attributes("img", "src") == [f"data:image/png;base64,{data}" for data in expected]
    assert "no panel of this image" in page.text


def test_page_needs_nothing_else(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.5), panels=("val-1",))
    page = read()
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    assert policy in page.attributes("meta", "content")
    assert {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "base", "form"} == set()
    loads = [
        value for _, attributes in page.tags for name in ("src", "href", "srcset") if (value := attributes.get(name))
    ]
    assert loads
    assert all(value.startswith("data:") for value in loads)
    style = page.html[page.html.index("<style>") : page.html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_text_stays_text(sweep: Builder, read: Callable[[], Page]) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    name = "<img src=x onerror=alert(2)>"
    sweep.settings = {"base": {"data": {"root": hostile, "kind": "oxford_pet"}, "training": {"epochs": 2}}}
    sweep.trial(name, contrastive(1.0), metrics(0.5), panels=('"onload="alert(3)',))
    sweep.trial("0001", contrastive(2.0), None, error=hostile)
    write_json(sweep.folder.path / "provenance.json", {hostile: hostile})
    page = read()
    assert hostile in page.text
    assert hostile not in page.html
    assert name not in page.html
    assert not [attributes for _, attributes in page.tags if {"onerror", "onload"} & set(attributes)]
    assert len(page.scripts) == 3 + len(page.figures)
    assert len(page.attributes("img", "src")) == 1


def test_plots_and_leaderboard_agree_on_what_varies(sweep: Builder, read: Callable[[], Page]) -> None:
    """A regulariser that one trial lacks is one setting everywhere, although it has several fields."""
    point = {"objective.divergence.weight": 2.0, "objective.divergence.map_scale": 10.0}
    sweep.trial("0000", contrastive(1.0), metrics(0.9, 0.8))
    sweep.trial("0001", contrastive(0.1) | point, metrics(0.8, 0.2))
    page = read()
    shown = [text for trace in page.figures[0]["data"] for text in trace.get("hovertext", ()) if "0001" in text]
    names = [line.partition(":")[0] for line in shown[0].split("<br><br>")[1].split("<br>")]
    columns = [title for title in page.attributes("th", "title") if title.startswith("objective.")]
    assert [column.removeprefix("objective.") for column in columns] == names


def test_sweep_without_trials(read: Callable[[], Page]) -> None:
    page = read()
    assert "No trial has completed with a value of val/accuracy yet." in page.text
    for expected in (
        "none yet: 1 not started",
        "No trial has started.",
        "No trial has finished an epoch.",
        "There are no panels",
    ):
        assert expected in page.text
    assert page.figures == []


def test_all_trials_failed(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.trial("0000", CROSS_ENTROPY, None, epochs=0, error="RuntimeError: no memory")
    page = read()
    assert "RuntimeError: no memory" in page.text
    assert "1, failed" in page.text


def test_broken_trial_is_on_the_page(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.5))
    sweep.trial("0001", contrastive(1.0), metrics(0.6))
    sweep.folder.trial("0001").metrics_path.write_text("")
    page = read()
    assert "metrics.jsonl: no row of epoch 1, 2" in page.text
    assert "broken" in page.text


def test_one_trial_without_masks(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.trial("0000", CROSS_ENTROPY, {"val/accuracy": 0.5})
    page = read()
    assert "No contrastive trial has completed, so there is nothing to compare it with." in page.text
    assert "No completed trial has both a background influence share" in page.text


@pytest.mark.parametrize("value", [None, float("nan")])
def test_missing_numbers(sweep: Builder, read: Callable[[], Page], value: float | None) -> None:
    sweep.trial("0000", CROSS_ENTROPY, metrics(value, value))
    sweep.trial("0001", contrastive(1.0), metrics(0.5, 0.3))
    page = read()
    assert "The best trial, 0001" in page.text
    assert "Not drawn: 1 trial without a value of both metrics." in page.text


NAMED_FRONT = (
    "are not dominated: no other trial is at least as good in every goal and better in one. The front has 2 trials: "
    "0000 (cross-entropy); 0001 (contrastive, background weight 1)."
)


def test_pareto_front_is_named_and_drawn(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.goals = (*sweep.goals, SHARE_GOAL)
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.9, 0.8))
    sweep.trial("0001", contrastive(1.0), metrics(0.8, 0.2))
    sweep.trial("0002", contrastive(2.0), metrics(0.7, 0.3))
    page = read()
    assert NAMED_FRONT in page.text
    assert "Pareto front" in [trace["name"] for trace in page.figures[0]["data"]]


SHIFT_GOAL = SweepGoal(metric="shift/random_background/accuracy", direction="max")


def test_front_of_three_goals_has_panels_and_a_table(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.goals = (*sweep.goals, SHARE_GOAL, SHIFT_GOAL)
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.9, 0.8))
    sweep.trial("0001", contrastive(1.0) | {"objective.divergence.weight": 2.0}, metrics(0.8, 0.2))
    sweep.trial("0002", CROSS_ENTROPY, metrics(0.7, 0.9))
    sweep.trial("0003", contrastive(2.0), metrics(0.8, 0.3))
    sweep.trial("0004", contrastive(2.0), metrics(0.8, None))
    page = read()
    marks = [trace for trace in page.figures[0]["data"] if trace["name"] == "Pareto front"]
    assert {mark["xaxis"] for mark in marks} == {"x", "x2", "x3"}
    assert "because it wins in another goal." in page.text
    assert "Not drawn: 1 trial without a value of each goal." in page.text
    assert "has 3 trials, listed below the panels." in page.text
    assert "contrastive + KL 2, background weight 1" in page.cells
    # The panels hold what the trade-off would show: besides them there are three metrics by weight, and two curves.
    assert len(page.figures) == 1 + 3 + 2


def test_tradeoff_stays_where_the_panels_do_not_hold_it(sweep: Builder, read: Callable[[], Page]) -> None:
    error = SweepGoal(metric="val/faithfulness/max_logit_error", direction="min")
    sweep.goals = (*sweep.goals, SHIFT_GOAL, error)
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.9, 0.8))
    sweep.trial("0001", contrastive(1.0), metrics(0.8, 0.2))
    page = read()
    assert len(page.figures) == 1 + 1 + 2
    assert "The shape is the objective" in page.text


def test_three_goals_and_no_trial(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.goals = (*sweep.goals, SHARE_GOAL, SHIFT_GOAL)
    assert read().figures == []


def test_dozens_of_trials_have_thirty_curves(sweep: Builder, read: Callable[[], Page]) -> None:
    for number in range(60):
        sweep.trial(f"{number:04d}", contrastive(0.01 * (number + 1)), metrics(number / 60, 0.5))
    sweep.trial("plain", CROSS_ENTROPY, metrics(0.001, 0.5))
    page = read()
    names = [trace["name"] for trace in page.figures[-1]["data"]]
    assert len(names) == 30
    assert names[-2:] == ["plain", "0059"]
    assert "28 others" in page.text
    assert "0042" in page.text


def test_evaluations_of_the_pair_stand_side_by_side(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.5, 0.75))
    sweep.trial("0001", contrastive(1.0), metrics(0.9, 0.25))
    assert "Results of the evaluation" not in read().text
    for trial, colour in (("0000", "red"), ("0001", "blue")):
        sweep.evaluation(trial, "gallery", images={"cat": colour})
    page = read()
    assert "Results of the evaluation" in page.text
    assert "Best cross-entropy trial: first/0000, cross-entropy" in page.text
    assert "Best trial: first/0001, contrastive, background weight 1" in page.text
    assert len(page.attributes("img", "src")) == 2
    # The difference is the best trial's from the other's here as in the table above.
    assert page.html.count("−0.500") == 2  # noqa: RUF001


def test_an_evaluation_of_one_trial_alone_is_shown(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.5))
    sweep.evaluation("0000", "gallery", images={"cat": "red"})
    page = read()
    assert "Results of the evaluation" in page.text
    assert len(page.attributes("img", "src")) == 1


def test_the_same_files_make_the_same_page(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.5), panels=("val-1",))
    assert read().html == read().html


CONSTRAINT = {"metric": "val/background/influence_share", "relation": "<=", "bound": 0.5}


def test_best_trial_keeps_the_constraints(sweep: Builder, read: Callable[[], Page]) -> None:
    sweep.settings = {"num_trials": 4, "constraints": [CONSTRAINT], "stop_when": ["no improvement for 1"]}
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.9, 0.75))
    assert (
        "No trial keeps val/background/influence_share <= 0.5; the nearest is 0000, with a violation of 0.25."
        in read().text
    )
    sweep.trial("0001", contrastive(1.0), metrics(0.8, 0.4))
    SearchState(0.0, "no improvement for 1", "trial 0000 was the last to improve").write(sweep.folder.search_path)
    page = read()
    for expected in (
        "has a val/accuracy of 0.800",
        "val/background/influence_share <= 0.5",
        "all completed; ended early by no improvement for 1: trial 0000 was the last to improve",
        "Trials that keep the constraints come first",
        "violation",
    ):
        assert expected in page.text


@pytest.mark.parametrize("source", ["cut", "held_out"])
def test_trials_of_one_held_out_set_are_said_to_be_chosen_on_it(
    sweep: Builder, read: Callable[[], Page], source: str
) -> None:
    for trial_id, weight in (("0000", 0.1), ("0001", 1.0)):
        sweep.trial(trial_id, {**contrastive(weight), "data.validation.source": source}, metrics(0.9))
    assert ("Trials were chosen on the set that is reported" in read().text) == (source == "held_out")


def test_accuracies_have_errors_and_the_front_is_marked(sweep: Builder, read: Callable[[], Page]) -> None:
    """Of 4 images, 3 right have an error of 0.2 and 4 right one of 0.1; they do not differ (z = 1.07)."""
    sweep.goals = (*sweep.goals, SHARE_GOAL)
    sweep.trial("0000", CROSS_ENTROPY, metrics(0.75, 0.8))
    sweep.trial("0001", contrastive(1.0), metrics(1.0, 0.2))
    assert "±" not in read().text
    for trial_id in ("0000", "0001"):
        write_json(sweep.folder.trial(trial_id).data_path, {"name": "spurious_digits", "num_val": 4})
    page = read()
    for expected in (
        "has a val/accuracy of 1.000 ± 0.100, against 0.750 ± 0.200 of the best cross-entropy trial",
        "± is the standard error of an accuracy (Wilson)",
        "By val/accuracy, the first 2 trials do not differ beyond noise",
        "the Pareto front first and marked",
    ):
        assert expected in page.text
    assert page.cells.count("± 0.100") == page.cells.count("1.000 ± 0.100") == 1
    assert page.cells.count("± 0.200") == page.cells.count("0.750 ± 0.200") == 1
    assert page.cells.count("yes") == 1
    assert "front" in page.attributes("th", "title")
