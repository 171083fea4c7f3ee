"""Ranking and Pareto front, worked out by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.files.sweep_config import SweepGoal
from orchestrator.results.trial_rows import (
    TrialRow,
    best,
    pareto_front,
    ranked,
    sweep_document,
    trial_rows,
    varied,
    why_none_is_feasible,
    with_violations,
)
from orchestrator.tracking import Store, ids_in_mlflow, resolve_store
from search_spaces import Constraint
from trainables.json_file import write_json, write_text
from trainables.trial_folder import as_json_line

MAX = SweepGoal(metric="accuracy", direction="max")
MIN = SweepGoal(metric="share", direction="min")


def make(trial_id: str, accuracy: float | None, share: float | None = 0.0, status: str = "completed") -> TrialRow:
    return TrialRow(
        trial_id=trial_id,
        run_id=None,
        status=status,
        epoch=1,
        config={},
        metrics={"accuracy": accuracy, "share": share},
    )


def ids(rows: list[TrialRow]) -> str:
    return "".join(row["trial_id"] for row in rows)


def test_a_metric_that_is_not_finite_is_none(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    sweep.complete("0000", {"val/accuracy": float("inf"), "val/loss": 0.5})
    (row,) = trial_rows(sweep.folder, {})
    assert (row["metrics"]["val/accuracy"], row["metrics"]["val/loss"]) == (None, 0.5)


def test_one_goal_orders_by_its_direction() -> None:
    rows = [make("a", 0.5, 0.1), make("b", 0.9, 0.3), make("c", 0.7, 0.2)]
    assert ids(ranked(rows, [MAX])) == "bca"
    assert ids(ranked(rows, [MIN])) == "acb"
    assert ids(best(rows, [MAX])) == "b"


def test_ties_keep_the_order_of_the_trials() -> None:
    rows = [make("a", 0.5), make("b", 0.9), make("c", 0.9)]
    assert ids(ranked(rows, [MAX])) == "bca"
    assert ids(best(rows, [MAX])) == "b"


@pytest.mark.parametrize(
    "row",
    [
        make("x", 1.0, status="stopped"),
        make("x", 1.0, status="failed"),
        make("x", 1.0, status="unfinished"),
        make("x", None),
        make("x", float("nan")),
        make("x", float("inf")),
    ],
)
def test_what_cannot_be_compared_is_never_ranked(row: TrialRow) -> None:
    assert ids(ranked([row, make("a", 0.1)], [MAX])) == "a"
    assert ranked([row], [MAX]) == best([row], [MAX]) == []


def test_metric_that_was_never_measured_ranks_nothing() -> None:
    assert ranked([make("a", 0.1)], [SweepGoal(metric="accurcy", direction="max")]) == []


def test_front_holds_what_no_other_trial_dominates() -> None:
    # a and b trade; c is dominated by a in both, d by b in one goal and equal in the other
    rows = [make("a", 0.9, 0.5), make("b", 0.7, 0.2), make("c", 0.8, 0.6), make("d", 0.7, 0.3)]
    assert ids(pareto_front(rows, [MAX, MIN])) == "ab"
    assert ids(ranked(rows, [MAX, MIN])) == "abcd"
    assert ids(best(rows, [MAX, MIN])) == "ab"


def test_front_comes_before_a_better_first_goal() -> None:
    rows = [make("a", 0.5, 0.1), make("b", 0.8, 0.9), make("c", 0.9, 0.9)]
    assert ids(ranked(rows, [MAX, MIN])) == "cab"


def test_equal_points_are_both_on_the_front() -> None:
    rows = [make("a", 0.9, 0.5), make("b", 0.9, 0.5), make("c", 0.9, 0.6)]
    assert ids(best(rows, [MAX, MIN])) == "ab"


def test_front_of_three_goals_and_of_none() -> None:
    third = SweepGoal(metric="third", direction="max")
    rows = [make("a", 0.9, 0.5), make("b", 0.8, 0.6), make("c", 0.8, 0.6)]
    for row, value in zip(rows, (0.0, 1.0, 0.5), strict=True):
        row["metrics"]["third"] = value
    assert ids(best(rows, [MAX, MIN, third])) == "ab"
    assert best([], [MAX, MIN]) == []


def test_front_is_that_of_comparing_every_pair() -> None:
    values = [(first % 17, first * 7 % 11) for first in range(100)]
    rows = [make(str(number), *pair) for number, pair in enumerate(values)]
    dominated = [any(a >= x and b <= y and (a, b) != (x, y) for a, b in values) for x, y in values]
    assert pareto_front(rows, [MAX, MIN]) == [
        row for row, is_dominated in zip(rows, dominated, strict=True) if not is_dominated
    ]


def test_varied_fields_come_in_the_configs_order() -> None:
    rows = [make("a", 1), make("b", 1)]
    rows[0]["config"] = {"seed": 0, "z": 1, "a": True, "same": None}
    rows[1]["config"] = {"seed": 1, "z": 1, "a": 1, "same": None, "extra": 2}
    assert varied(rows) == {"seed": [], "a": [], "extra": []}
    assert varied(rows[:1]) == varied([]) == {}


def of_configs(*configs: dict[str, Any]) -> dict[str, list[str]]:
    return varied([{"config": config} for config in configs])


def test_fields_that_differ_in_their_order() -> None:
    assert list(of_configs({"a.x": 1, "a.y": 2, "b": 3}, {"a.x": 1, "a.y": 5, "b": 4})) == ["a.y", "b"]


def test_a_section_that_only_some_have_is_represented_by_what_varies_in_it() -> None:
    weight, scale = "loss.extra.weight", "loss.extra.scale"
    configs = [{"loss.kind": "plain"}, *({"loss.kind": "plain", scale: 10, weight: value} for value in (1.0, 3.0))]
    assert of_configs(*configs) == {weight: [scale]}


def test_a_section_of_which_nothing_varies_is_represented_by_its_first_field() -> None:
    weight, scale = "loss.extra.weight", "loss.extra.scale"
    assert of_configs({"loss.kind": "plain"}, {"loss.kind": "plain", weight: 1.0, scale: 10}) == {weight: [scale]}


def test_fields_of_another_kind_come_with_the_kind() -> None:
    assert of_configs({"loss.kind": "plain"}, {"loss.kind": "other", "loss.weight": 1.0}) == {
        "loss.kind": ["loss.weight"]
    }


def test_a_setting_that_is_off_is_as_good_as_missing() -> None:
    plain, other = {"loss.kind": "plain"}, {"loss.kind": "other", "loss.weight": 1.0}
    assert of_configs(plain, {**other, "loss.warmup": 0, "loss.clip": None, "loss.soft": False}) == {
        "loss.kind": ["loss.weight"]
    }
    assert of_configs({**other, "loss.warmup": 0}, {**other, "loss.warmup": 3}) == {"loss.warmup": []}


def test_row_joins_the_last_epoch_with_the_evaluation(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    sweep.start("0000", {"seed": 3}, epochs=2, **{"val/accuracy": 0.5, "train/loss": 1.0})
    sweep.complete("0001", {"val/accuracy": 0.75})
    sweep.start("0002")
    running, complete, waiting = trial_rows(sweep.folder, {"0001": "run"})
    assert (running["status"], running["epoch"], running["run_id"]) == ("unfinished", 2, None)
    assert running["metrics"] == {"time/epoch_s": 36.0, "val/accuracy": 0.5, "train/loss": 1.0}
    assert running["config"]["seed"] == 3
    assert (complete["status"], complete["run_id"], complete["metrics"]["val/accuracy"]) == ("completed", "run", 0.75)
    assert (waiting["status"], waiting["epoch"], waiting["metrics"]) == ("unfinished", 0, {})


def test_document_of_a_sweep_that_mlflow_does_not_know(make_sweep: Callable[..., Any], tmp_path: Path) -> None:
    sweep = make_sweep()
    sweep.complete("0000", {"val/accuracy": 0.75})
    document = sweep_document(sweep.folder, ids_in_mlflow(resolve_store(tmp_path), sweep.folder))
    assert (document["experiment_id"], document["parent_run_id"]) == (None, None)
    assert document["best"] == document["trials"]
    assert document["goals"] == [{"metric": "val/accuracy", "direction": "max"}]


def test_document_does_not_need_mlflow(make_sweep: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    sweep = make_sweep()
    sweep.complete("0000", {"val/accuracy": 0.75})
    document = sweep_document(sweep.folder, ids_in_mlflow(Store("http://127.0.0.1:9"), sweep.folder))
    assert [trial["run_id"] for trial in document["trials"]] == [None]
    assert "sweep first is shown without its MLflow runs" in caplog.text


def test_accuracies_have_errors_where_the_trial_recorded_its_images(make_sweep: Callable[..., Any]) -> None:
    goals = [{"metric": "val/accuracy", "direction": "max"}, {"metric": "val/loss", "direction": "min"}]
    sweep = make_sweep(goals=goals)
    for trial_id, accuracy in (("0000", 0.75), ("0001", 0.25), ("0002", 0.5)):
        sweep.complete(trial_id, {"val/accuracy": accuracy, "val/loss": 0.5})
        write_json(sweep.folder.trial(trial_id).data_path, {"num_val": 4} if trial_id != "0002" else {})
    first, second, earlier = trial_rows(sweep.folder, {})
    assert (first["num_images"], second["num_images"]) == ({"val/accuracy": 4}, {"val/accuracy": 4})
    assert first["errors"] == second["errors"] == {"val/accuracy": pytest.approx(0.2)}
    assert not {"num_images", "errors"} & earlier.keys()
    assert "errors" not in first["metrics"]
    assert [row["on_front"] for row in (first, second, earlier)] == [True, False, False]


def test_document_lists_the_trials_within_noise(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    for trial_id, accuracy in (("0000", 0.45), ("0001", 0.60), ("0002", 0.47)):
        sweep.complete(trial_id, {"val/accuracy": accuracy})
        write_json(sweep.folder.trial(trial_id).data_path, {"num_val": 100})
    ids_there = ids_in_mlflow(resolve_store(sweep.folder.storage, None), sweep.folder)
    document = sweep_document(sweep.folder, ids_there)
    assert document["within_noise"] == ["0001", "0002"]
    assert "on_front" not in document["trials"][0]
    sweep.folder.trial("0001").data_path.unlink()
    assert sweep_document(sweep.folder, ids_there)["within_noise"] == []


def test_a_broken_description_of_the_data_costs_the_errors_alone(
    make_sweep: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    sweep = make_sweep()
    sweep.complete("0000", {"val/accuracy": 0.75})
    path = sweep.folder.trial("0000").data_path
    path.write_text("{")
    (row,) = trial_rows(sweep.folder, {})
    assert (row["status"], row.get("errors")) == ("completed", None)
    (message,) = caplog.messages
    assert message.startswith(f"{path}: not valid JSON")
    assert message.endswith("; accuracies are shown without their standard errors")


BROKEN_FILES = {
    "outcome.json": (b'{"status": "comp', "outcome.json: not valid JSON"),
    "metrics.jsonl": (b"", "metrics.jsonl: no row of epoch 1, 2, 3, 4, 5, 6, 7, 8, 9, 10; `campaign resume`"),
    "evaluation.json": (b"\xff", "evaluation.json: not a text in UTF-8"),
    "config.yaml": (b"seed: \xff", "config.yaml: not valid YAML"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
@pytest.mark.fault("One trial of a sweep has a broken file.", trains=False)
def test_broken_trial_is_listed_with_its_reason(
    name: str, make_sweep: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    sweep, (content, reason) = make_sweep(), BROKEN_FILES[name]
    for trial_id, weight in [("0000", 1.0), ("0001", 3.0), ("0002", 5.0)]:
        point = {"objective.kind": "contrastive", "objective.background_weight": weight}
        sweep.complete(trial_id, {"val/accuracy": 0.75}, point)
    (sweep.folder.trial("0000").path / name).write_bytes(content)
    broken, *others = trial_rows(sweep.folder, {"0000": "run"})
    assert (broken["trial_id"], broken["run_id"], broken["status"]) == ("0000", "run", "broken")
    assert (broken["epoch"], broken["metrics"]) == (0, {})
    assert broken["error"].startswith(f"{sweep.folder.trial('0000').path}/{reason}")
    assert caplog.messages == [f"trial 0000 is broken: {broken['error']}"]
    assert ids(ranked([broken, *others], sweep.config.goals)) == "00010002"
    assert varied([broken, *others]) == {"objective.background_weight": []}


AT_LEAST, AT_MOST = Constraint("accuracy", ">=", 0.75), Constraint("share", "<=", 0.5)


def test_violation_is_summed_over_the_constraints() -> None:
    rows = [make("a", 0.75, 0.5), make("b", 0.5, 0.75), make("c", 1.0, 1.0), make("d", None)]
    found = [row["violation"] for row in with_violations(rows, [AT_LEAST, AT_MOST])]
    assert found == [0.0, 0.5, 0.5, None]
    assert with_violations(rows, []) == rows


def test_feasible_trials_rank_first_and_then_the_least_violation() -> None:
    rows = with_violations(
        [make("a", 0.5, 0.1), make("b", 0.8, 0.4), make("c", 0.9, 0.6), make("d", 0.7, 0.2)], [AT_LEAST]
    )
    assert ids(ranked(rows, [MIN])) == "bcda"
    assert ids(best(rows, [MIN])) == "b"
    assert ids(pareto_front(rows, [MAX, MIN])) == "bc"
    assert ids(ranked(rows, [MAX, MIN])) == "cbda"


def test_trial_that_lacks_what_a_constraint_bounds_is_not_ranked() -> None:
    rows = with_violations([make("a", 0.8, None), make("b", 0.5, 0.1)], [AT_MOST])
    assert ids(ranked(rows, [MAX])) == "b"


def test_where_none_is_feasible_none_is_best_and_the_nearest_is_named() -> None:
    rows = with_violations([make("a", 0.25, 0.1), make("b", 0.625, 0.9)], [AT_LEAST])
    assert best(rows, [MIN]) == best(rows, [MAX, MIN]) == []
    message = "no trial keeps accuracy >= 0.75; the nearest is b, with a violation of 0.125"
    assert why_none_is_feasible(rows, [MIN], [AT_LEAST]) == message
    assert why_none_is_feasible([], [MIN], [AT_LEAST]) is None
    assert why_none_is_feasible([make("c", 0.9), *rows], [MIN], [AT_LEAST]) is None


def test_constrained_best_is_that_of_brute_force() -> None:
    """Over a table of every pair of values, with one goal and with two."""
    values = [number / 7 for number in range(8)]
    table = [(accuracy, share) for accuracy in values for share in reversed(values) if share <= accuracy**2 + 0.3]
    rows = [make(f"{number:02d}", *pair) for number, pair in enumerate(table)]
    for bound in values:
        feasible = [pair for pair in table if pair[0] >= bound]
        judged = with_violations(rows, [Constraint("accuracy", ">=", bound)])
        (least,) = best(judged, [MIN])
        assert least["metrics"]["share"] == min(share for _, share in feasible)
        front = {(row["metrics"]["accuracy"], row["metrics"]["share"]) for row in best(judged, [MAX, MIN])}
        assert front == {
            pair for pair in feasible if not any(a >= pair[0] and s <= pair[1] and (a, s) != pair for a, s in feasible)
        }


def test_sweep_document_has_violations_and_says_that_none_is_feasible(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep(constraints=[{"metric": "val/loss", "relation": "<=", "bound": 0.5}])
    sweep.complete("0000", {"val/accuracy": 0.5, "val/loss": 0.75})
    ids = ids_in_mlflow(resolve_store(sweep.folder.storage, None), sweep.folder)
    document = sweep_document(sweep.folder, ids)
    assert (document["constraints"], document["best"], document["ended"]) == (["val/loss <= 0.5"], [], None)
    assert document["infeasible"] == "no trial keeps val/loss <= 0.5; the nearest is 0000, with a violation of 0.25"
    sweep.complete("0001", {"val/accuracy": 0.25, "val/loss": 0.5})
    document = sweep_document(sweep.folder, ids)
    assert ([row["trial_id"] for row in document["best"]], document["infeasible"]) == (["0001"], None)


def test_metrics_of_a_trial_are_those_of_the_epoch_that_it_keeps(make_sweep: Callable[..., Any]) -> None:
    sweep = make_sweep()
    sweep.start("0000")
    trial = sweep.folder.trial("0000")
    losses = {1: 3.0, 2: 1.0, 3: 2.0}
    rows = [{"epoch": epoch, "kept_epoch": min(epoch, 2), "train/loss": loss} for epoch, loss in losses.items()]
    write_text(trial.metrics_path, "".join(map(as_json_line, rows)))
    write_json(trial.evaluation_path, {"kept_epoch": 2, "val/accuracy": 0.5})
    (row,) = trial_rows(sweep.folder, {})
    assert (row["epoch"], row["kept_epoch"]) == (3, 2)
    assert row["metrics"] == {"train/loss": 1.0, "val/accuracy": 0.5}
