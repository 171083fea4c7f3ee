"""A sweep's parent run and its summary."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from orchestrator.files.provenance import Provenance
from orchestrator.tracking import (
    Objectives,
    Store,
    SweepIdentity,
    close_sweep_run,
    connect,
    leaderboard,
    open_sweep_run,
    write_summary,
)

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

OBJECTIVES: Objectives = {"val/accuracy": "max", "val/background/gap": "min"}


def trial_row(trial_id: str, status: str, accuracy: float | None, gap: float | None, **config: Any) -> dict[str, Any]:
    metrics = {"val/accuracy": accuracy, "val/background/gap": gap}
    metrics = {key: value for key, value in metrics.items() if value is not None}
    return {
        "trial_id": trial_id,
        "run_id": trial_id * 2,
        "status": status,
        "epoch": 3,
        "config": config,
        "metrics": metrics,
    }


ROWS = [
    trial_row("t1", "completed", 0.8, 0.3, lr=0.1, kind="sgd"),
    trial_row("t2", "completed", 0.9, 0.5, lr=0.2, kind="adamw"),
    trial_row("t3", "completed", 0.7, 0.6, lr=0.3, kind="sgd"),
    trial_row("t4", "stopped", 0.99, 0.1, lr=0.4, kind="sgd"),
    trial_row("t5", "failed", None, None, lr=0.5, kind="sgd"),
]
RANKING = [ROWS[1], ROWS[0], ROWS[2]]
PAGE = "<p>plots</p>"
LEADERBOARD = "leaderboard.json"


@pytest.fixture
def sweep_folder(tmp_path: Path) -> Path:
    (tmp_path / "sweep.yaml").write_text("name: digits\n")
    return tmp_path


@pytest.fixture
def identity(experiment_id: str) -> SweepIdentity:
    provenance = Provenance({"campaign.command": "campaign sweep digits"}, diff="+ changed\n")
    return SweepIdentity(experiment_id, "digits", scale="small", provenance=provenance)


@pytest.fixture
def parent(store: Store, identity: SweepIdentity, sweep_folder: Path) -> str:
    return open_sweep_run(store, identity, sweep_folder)


def artifact(store: Store, run_id: str, path: str) -> Path:
    return Path(connect(store).download_artifacts(run_id, path))


def test_parent_holds_the_sweep_and_where_it_comes_from(store: Store, parent: str, sweep_folder: Path) -> None:
    run = connect(store).get_run(parent)
    expected = {
        "campaign.sweep": "digits",
        "campaign.kind": "sweep",
        "campaign.scale": "small",
        "campaign.command": "campaign sweep digits",
        "campaign.directory": str(sweep_folder),
        "mlflow.runName": "digits",
    }
    assert expected.items() <= run.data.tags.items()
    assert artifact(store, parent, "sweep.yaml").read_text() == "name: digits\n"
    assert artifact(store, parent, "provenance/diff.patch").read_text() == "+ changed\n"


def test_resume_opens_the_same_parent_again(
    store: Store, parent: str, identity: SweepIdentity, sweep_folder: Path
) -> None:
    assert close_sweep_run(store, parent, "FINISHED")
    assert connect(store).get_run(parent).info.status == "FINISHED"
    assert open_sweep_run(store, identity, sweep_folder) == parent
    assert connect(store).get_run(parent).info.status == "RUNNING"


def test_resume_leaves_the_provenance_as_it_was(
    store: Store, parent: str, identity: SweepIdentity, sweep_folder: Path
) -> None:
    other = Provenance({"campaign.command": "campaign resume digits"}, diff="+ changed again\n")
    assert open_sweep_run(store, replace(identity, provenance=other), sweep_folder) == parent
    assert connect(store).get_run(parent).data.tags["campaign.command"] == "campaign sweep digits"
    assert artifact(store, parent, "provenance/diff.patch").read_text() == "+ changed\n"


def test_sweep_made_anew_has_a_parent_of_its_own(
    store: Store, parent: str, identity: SweepIdentity, sweep_folder: Path
) -> None:
    assert open_sweep_run(store, replace(identity, created="2030-01-01"), sweep_folder) != parent


def test_trial_of_a_sweep_is_nested_under_it(identity: SweepIdentity, parent: str, tmp_path: Path) -> None:
    trial = replace(identity, parent_run_id=parent).trial("t1", "abc", promoted_from="other")
    tags = trial.tags(tmp_path)
    assert tags["mlflow.parentRunId"] == parent
    assert tags["campaign.promoted_from"] == "other"
    assert trial.provenance["campaign.command"] == "campaign sweep digits"
    assert tags["campaign.kind"] == "trial"


def test_summary_counts_trials_and_names_best_values(store: Store, parent: str) -> None:
    assert write_summary(store, parent, ROWS, OBJECTIVES, ranking=RANKING, page=PAGE, ended_ms=1)
    assert connect(store).get_run(parent).data.metrics == {
        "trials/completed": 3,
        "trials/stopped": 1,
        "trials/failed": 1,
        "best/val/accuracy": 0.9,
        "best/val/background/gap": 0.3,
    }


def test_best_values_are_those_of_feasible_trials(store: Store, parent: str) -> None:
    judged = [{**row, "violation": violation} for row, violation in zip(RANKING, (0.25, 0.0, 0.0), strict=True)]
    assert write_summary(store, parent, judged, OBJECTIVES, ranking=judged, page=PAGE, ended_ms=1)
    metrics = connect(store).get_run(parent).data.metrics
    assert (metrics["best/val/accuracy"], metrics["best/val/background/gap"]) == (0.8, 0.3)
    assert leaderboard(judged, judged, OBJECTIVES)["violation"] == [0.25, 0.0, 0.0]


def test_errors_are_no_metrics_and_the_front_is_in_the_table(store: Store, parent: str) -> None:
    on_front = [True, True, False]
    rows = [{**row, "errors": {"val/accuracy": 0.1}, "on_front": on} for row, on in zip(RANKING, on_front, strict=True)]
    assert write_summary(store, parent, rows, OBJECTIVES, ranking=rows, page=PAGE, ended_ms=1)
    assert connect(store).get_run(parent).data.metrics == {
        "trials/completed": 3,
        "trials/stopped": 0,
        "trials/failed": 0,
        "best/val/accuracy": 0.9,
        "best/val/background/gap": 0.3,
    }
    table = leaderboard(rows, rows, OBJECTIVES)
    assert table["on_front"] == on_front
    assert "errors" not in table


def test_summary_is_written_over_and_not_added_to(
    store: Store, parent: str, experiment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_summary(store, parent, ROWS[:1], OBJECTIVES, ranking=ROWS[:1], page=PAGE, ended_ms=1)
    for _ in range(2):
        write_summary(store, parent, ROWS, OBJECTIVES, ranking=RANKING, page=PAGE, ended_ms=1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)  # load_table asks the global store
    table = connect(store).load_table(experiment_id, LEADERBOARD, [parent])
    assert list(table["trial_id"]) == ["t2", "t1", "t3", "t4", "t5"]
    history = connect(store).get_metric_history(parent, "trials/completed")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1), (5, 3)]


def test_leaderboard_ranks_what_can_be_compared_and_lists_the_rest() -> None:
    table = leaderboard(ROWS, RANKING, OBJECTIVES)
    assert table["rank"] == [1, 2, 3, None, None]
    assert table["trial_id"] == ["t2", "t1", "t3", "t4", "t5"]
    assert table["status"] == ["completed", "completed", "completed", "stopped", "failed"]
    assert table["val/accuracy"] == [0.9, 0.8, 0.7, 0.99, None]
    assert table["kind"] == ["adamw", "sgd", "sgd", "sgd", "sgd"]
    assert list(table)[:5] == ["rank", "trial_id", "status", "epoch", "val/accuracy"]


def test_sweep_without_completed_trials_has_a_summary(store: Store, parent: str) -> None:
    assert write_summary(store, parent, ROWS[3:], OBJECTIVES, ranking=[], page=PAGE, ended_ms=1)
    assert "best/val/accuracy" not in connect(store).get_run(parent).data.metrics


def test_page_and_sheet_become_artifacts(store: Store, parent: str) -> None:
    sheet = Image.new("RGB", (4, 4), (0, 0, 255))
    assert write_summary(store, parent, ROWS, OBJECTIVES, ranking=RANKING, page="<p>plots</p>", sheet=sheet, ended_ms=1)
    assert artifact(store, parent, "plots.html").read_text() == "<p>plots</p>"
    with Image.open(artifact(store, parent, "panels.png")) as sent:
        assert sent.convert("RGB").getpixel((1, 1)) == (0, 0, 255)


def test_outage_leaves_a_warning_and_no_exception(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = Store(f"sqlite:///{tmp_path / 'gone.db'}")
    assert not write_summary(gone, "0" * 32, ROWS, OBJECTIVES, ranking=RANKING, page=PAGE, ended_ms=1)
    assert not close_sweep_run(gone, "0" * 32, "FINISHED")
    assert [record.levelno for record in caplog.records if record.name.startswith("orchestrator")] == [
        logging.WARNING
    ] * 2


def test_table_is_plain_json(store: Store, parent: str) -> None:
    write_summary(store, parent, ROWS, OBJECTIVES, ranking=RANKING, page=PAGE, ended_ms=1)
    table = json.loads(artifact(store, parent, LEADERBOARD).read_text())
    assert table["columns"][1] == "trial_id"
    assert len(table["data"]) == 5
