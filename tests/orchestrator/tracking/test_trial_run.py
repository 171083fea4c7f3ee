"""What MLflow holds after pushes of a trial's folder."""

import json
import logging
import math
import os
import pickle
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.tracking import Store, TrialRun, connect, sync
from trainables.config import ExperimentConfig, flatten

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

MakeTrialRun = Callable[..., TrialRun]


def history(store: Store, run_id: str | None, key: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in connect(store).get_metric_history(run_id, key)]


def runs(store: Store, experiment_id: str) -> list[Any]:
    return list(connect(store).search_runs([experiment_id]))


def images(store: Store, run_id: str | None) -> list[str]:
    return sorted(file.path for file in connect(store).list_artifacts(run_id, "images") if file.path.endswith(".png"))


def test_each_epoch_arrives_once_however_often_it_is_pushed(
    store: Store, trial: Any, make_trial_run: MakeTrialRun
) -> None:
    trial_run = make_trial_run(trial)
    trial.write_rows(1)
    trial_run.push()
    trial.write_rows(3)
    trial_run.push()
    trial_run.push()
    restarted = make_trial_run(trial)
    restarted.push()
    trial.write_rows(2)  # a restart drops the row of an epoch whose checkpoint was not written
    restarted.push()
    trial.write_rows(4)
    restarted.push()
    make_trial_run(trial).push()

    assert history(store, trial_run.run_id, "epoch") == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert history(store, trial_run.run_id, "val/accuracy") == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]


def test_restart_finds_the_run_by_its_tags(
    store: Store, experiment_id: str, trial: Any, make_trial_run: MakeTrialRun
) -> None:
    identity = {"scale": "large", "parent_run_id": "p" * 32, "promoted_from": "q" * 32, "provenance": {"who": "me"}}
    trial_runs = [make_trial_run(trial, identity=identity) for _ in range(2)]
    assert trial_runs[0].run_id == trial_runs[1].run_id

    (run,) = runs(store, experiment_id)
    expected = {
        "campaign.sweep": "digits",
        "campaign.trial_id": "trial-0001",
        "campaign.kind": "trial",
        "campaign.scale": "large",
        "campaign.promoted_from": "q" * 32,
        "campaign.directory": str(trial.folder),
        "mlflow.parentRunId": "p" * 32,
        "mlflow.runName": "trial-0001",
        "who": "me",
    }
    assert expected.items() <= run.data.tags.items()
    assert len(run.data.tags["campaign.config_hash"]) == 12
    assert run.info.run_name == "trial-0001"
    assert run.info.status == "RUNNING"


def test_source_of_a_promotion_is_tagged_with_its_runs(
    store: Store, experiment_id: str, trial: Any, make_trial_run: MakeTrialRun
) -> None:
    client = connect(store)
    source, binned = (client.create_run(experiment_id).info.run_id for _ in range(2))
    client.delete_run(binned)
    promoted = make_trial_run(trial, identity={"sweep": "large-1", "promoted_from": source}).run_id
    again = make_trial_run(trial, identity={"sweep": "large-2", "promoted_from": source}).run_id
    tags = client.get_run(source).data.tags
    assert tags["campaign.promoted_to.large-1"] == promoted
    assert tags["campaign.promoted_to.large-2"] == again
    for gone in (binned, "q" * 32):
        assert make_trial_run(trial, identity={"sweep": f"of-{gone}", "promoted_from": gone}).run_id is not None


def test_params_are_the_flat_config(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_json("model.json", edits=["no head bias", "stride 8"], num_parameters=12345)
    trial_run = make_trial_run(trial)
    trial_run.push()
    run = connect(store).get_run(trial_run.run_id)
    assert run.data.params.keys() == {*flatten(ExperimentConfig()), "num_parameters"}
    assert run.data.params["optim.learning_rate"] == "0.001"
    assert run.data.params["data.kind"] == "spurious_digits"
    assert run.data.params["training.clip_norm"] == "null"
    assert run.data.params["num_parameters"] == "12345"
    assert run.data.tags["campaign.model_edits"] == "no head bias; stride 8"
    assert "config.yaml" in [file.path for file in connect(store).list_artifacts(trial_run.run_id)]


def test_null_is_nan_and_what_is_no_number_is_left_out(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_json("metrics.jsonl", epoch=1, **{"val/loss": None, "note": "text", "flag": True, "a(b)": 1})
    trial_run = make_trial_run(trial)
    trial_run.push()
    metrics = connect(store).get_run(trial_run.run_id).data.metrics
    assert metrics.keys() == {"epoch", "val/loss", "a_b_-cce46e"}
    assert math.isnan(metrics["val/loss"])


def test_row_of_more_metrics_than_a_batch_holds(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_json("metrics.jsonl", epoch=1, **{f"class/{index:04}": index for index in range(1500)})
    trial_run = make_trial_run(trial)
    trial_run.push()
    make_trial_run(trial).push()
    assert len(connect(store).get_run(trial_run.run_id).data.metrics) == 1501
    assert history(store, trial_run.run_id, "class/0000") == [(1, 0)]
    assert history(store, trial_run.run_id, "class/1499") == [(1, 1499)]


def test_many_rows_go_in_few_batches(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_rows(400)
    trial_run = make_trial_run(trial)
    trial_run.push()
    assert [step for step, _ in history(store, trial_run.run_id, "epoch")] == list(range(1, 401))


def test_panels_are_image_series_and_arrive_once(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial_run = make_trial_run(trial)
    trial.draw_panels(1)
    trial_run.push()
    trial_run.push()
    make_trial_run(trial).push()
    trial.draw_panels(2)
    make_trial_run(trial).push()
    series = [Path(path).name.split("+timestamp")[0] for path in images(store, trial_run.run_id)]
    assert series == ["panels~a+step+1", "panels~a+step+2", "panels~b+step+1", "panels~b+step+2"]


def test_evaluation_stands_at_the_last_epoch_once(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_rows(2)
    trial.write_json("evaluation.json", **{"val/accuracy": 0.2, "val/background/gap": 0.5, "val/ood/x": None})
    trial_run = make_trial_run(trial)
    trial_run.push()
    trial_run.push()
    make_trial_run(trial).push()
    assert history(store, trial_run.run_id, "val/background/gap") == [(2, 0.5)]
    assert history(store, trial_run.run_id, "val/accuracy") == [(1, 0.1), (2, 0.2)]
    assert "evaluation.json" in [file.path for file in connect(store).list_artifacts(trial_run.run_id)]

    trial.write_json("evaluation.json", **{"val/background/gap": 0.25})
    later = time.time() + 1
    os.utime(trial.folder / "evaluation.json", (later, later))
    trial_run.push()
    assert connect(store).get_run(trial_run.run_id).data.metrics["val/background/gap"] == 0.25


def test_data_set_is_an_input_with_its_digest(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_json("data.json", name="spurious_digits", digest="d" * 64, num_train=40, num_val=10)
    trial_run = make_trial_run(trial)
    trial_run.push()
    make_trial_run(trial).push()
    (entry,) = connect(store).get_run(trial_run.run_id).inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("spurious_digits", "d" * 36)
    assert json.loads(entry.dataset.profile) == {"num_train": 40, "num_val": 10}
    assert entry.tags[0].value == "training"


@pytest.mark.parametrize(
    ("status", "state", "early"),
    [("completed", "FINISHED", "false"), ("stopped", "FINISHED", "true"), ("failed", "FAILED", "false")],
)
def test_outcome_is_the_end_state(
    status: str, state: str, early: str, store: Store, trial: Any, make_trial_run: MakeTrialRun
) -> None:
    trial.write_rows(1)
    trial.write_json("outcome.json", status=status, epoch=1, error="out of memory" if status == "failed" else None)
    trial_run = make_trial_run(trial)
    trial_run.push()
    run = connect(store).get_run(trial_run.run_id)
    assert run.info.status == state
    assert run.info.end_time == (trial.folder / "outcome.json").stat().st_mtime_ns // 1_000_000
    assert run.data.tags["campaign.stopped_early"] == early
    assert run.data.tags.get("campaign.error") == ("out of memory" if status == "failed" else None)
    trial_run.finish("KILLED")
    assert connect(store).get_run(trial_run.run_id).info.status == state


def test_finish_sets_the_state_and_a_restarted_trial_runs_again(
    store: Store, trial: Any, make_trial_run: MakeTrialRun
) -> None:
    trial.write_rows(1)
    trial_run = make_trial_run(trial)
    trial_run.finish("KILLED")
    assert connect(store).get_run(trial_run.run_id).info.status == "KILLED"
    restarted = make_trial_run(trial)
    restarted.push()
    assert connect(store).get_run(trial_run.run_id).info.status == "KILLED"
    trial.write_rows(2)
    restarted.push()
    assert connect(store).get_run(trial_run.run_id).info.status == "RUNNING"
    restarted.finish("FINISHED")
    assert connect(store).get_run(trial_run.run_id).info.status == "FINISHED"


def test_pickled_trial_run_goes_on(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_rows(1)
    trial_run = make_trial_run(trial)
    trial_run.push()
    trial.write_rows(2)
    copy = pickle.loads(pickle.dumps(trial_run))
    copy.push()
    assert copy.run_id == trial_run.run_id
    assert history(store, trial_run.run_id, "epoch") == [(1, 1), (2, 2)]


def test_last_line_cut_short_is_left_for_later(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_rows(1)
    with (trial.folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "val/acc')
    trial_run = make_trial_run(trial)
    trial_run.push()
    assert history(store, trial_run.run_id, "epoch") == [(1, 1)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metrics.jsonl", '{"epoch": 1}\nnonsense\n', "metrics.jsonl, line 2: not valid JSON"),
        ("metrics.jsonl", '{"val/loss": 1}\n', "line 1: expected an object with a whole number `epoch`"),
        ("outcome.json", '{"status": "done"}', "status is 'done'; expected one of completed, stopped, failed"),
        ("evaluation.json", "[]", "expected a JSON object, found list"),
    ],
)
def test_malformed_file_is_named(name: str, text: str, message: str, trial: Any, make_trial_run: MakeTrialRun) -> None:
    (trial.folder / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        make_trial_run(trial).push()


def test_locked_database_is_asked_once_and_loses_nothing(
    store: Store, trial: Any, make_trial_run: MakeTrialRun, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "orchestrator")
    trial_run = make_trial_run(trial, first_wait_s=600.0)
    trial.write_rows(1)
    trial_run.push()
    run_id = trial_run.run_id
    with sqlite3.connect(store.sqlite_file or "") as lock:
        lock.execute("BEGIN IMMEDIATE")
        for epochs in range(2, 6):
            trial.write_rows(epochs)
            trial_run.push()
        assert trial_run.in_outage
        assert trial_run.run_id is None
        lock.rollback()
    lock.close()
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert ["database is locked" in record.getMessage() for record in warnings] == [True]
    assert str(trial.folder) in warnings[0].getMessage()
    assert sum("not sent to MLflow" in record.getMessage() for record in caplog.records) == 1

    trial_run.finish("FINISHED")
    assert trial_run.run_id == run_id
    assert history(store, run_id, "epoch") == [(epoch, epoch) for epoch in range(1, 6)]


def test_missing_database_is_an_outage_and_is_not_made_anew(
    tmp_path: Path, trial: Any, make_trial_run: MakeTrialRun, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Store(f"sqlite:///{tmp_path / 'gone.db'}")
    trial_run = make_trial_run(trial, store=gone, experiment_id="1")
    trial_run.push()
    assert trial_run.run_id is None
    assert "unable to open database file" in caplog.text
    assert not (tmp_path / "gone.db").exists()


def test_run_thrown_away_is_sent_anew(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_rows(1)
    trial_run = make_trial_run(trial, first_wait_s=0.0)
    trial_run.push()
    old = trial_run.run_id
    connect(store).delete_run(old)
    trial.write_rows(2)
    trial_run.push()
    trial_run.push()
    assert trial_run.run_id != old
    assert history(store, trial_run.run_id, "epoch") == [(1, 1), (2, 2)]


def test_sync_names_the_trials_it_could_not_send(
    tmp_path: Path, store: Store, trial: Any, make_trial_run: MakeTrialRun
) -> None:
    trial.write_rows(2)
    gone = Store(f"sqlite:///{tmp_path / 'gone.db'}")
    assert sync([make_trial_run(trial, store=gone, experiment_id="1")]) == ["trial-0001"]
    assert sync([make_trial_run(trial)]) == []
    assert history(store, make_trial_run(trial).run_id, "epoch") == [(1, 1), (2, 2)]


def test_import_is_light() -> None:
    script = (
        "import sys, orchestrator.tracking; print(sorted({'mlflow', 'torch', 'optuna', 'plotly'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_that_mlflow_refuses_stay_apart(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_json("metrics.jsonl", epoch=1, **{"shift/雪/accuracy": 0.25, "shift/雨/accuracy": 0.5})
    trial.draw_panels(1, ("雪", "雨"))
    trial_run = make_trial_run(trial)
    trial_run.push()
    make_trial_run(trial).push()
    metrics = connect(store).get_run(trial_run.run_id).data.metrics
    assert sorted(metrics.values()) == [0.25, 0.5, 1.0]
    assert len(images(store, trial_run.run_id)) == 2


@pytest.mark.parametrize("change", [{"created": "2031-01-01"}, {"config_hash": "0" * 12}])
def test_sweep_made_anew_under_an_old_name_has_runs_of_its_own(
    change: dict[str, str], store: Store, trial: Any, make_trial_run: MakeTrialRun
) -> None:
    trial.write_rows(1)
    old = make_trial_run(trial, identity={"created": "2030-01-01"})
    old.push()
    trial.write_json("metrics.jsonl", epoch=1, **{"val/accuracy": 0.75})
    new = make_trial_run(trial, identity={"created": "2030-01-01", **change})
    new.push()
    assert history(store, old.run_id, "val/accuracy") == [(1, 0.1)]
    assert history(store, new.run_id, "val/accuracy") == [(1, 0.75)]


def test_provenance_is_that_of_the_command_that_made_the_run(
    store: Store, trial: Any, make_trial_run: MakeTrialRun
) -> None:
    first = make_trial_run(trial, identity={"provenance": {"campaign.command": "campaign sweep"}})
    first.push()
    make_trial_run(trial, identity={"provenance": {"campaign.command": "campaign sync"}}).push()
    assert connect(store).get_run(first.run_id).data.tags["campaign.command"] == "campaign sweep"


def test_changes_to_the_code_are_those_of_the_command_that_made_the_run(
    store: Store, trial: Any, make_trial_run: MakeTrialRun
) -> None:
    for diff in ("+ first\n", "+ second\n", ""):
        trial_run = make_trial_run(trial, identity={"diff": diff})
        trial_run.push()
    sent = connect(store).download_artifacts(trial_run.run_id, "provenance/diff.patch")
    assert Path(sent).read_text() == "+ first\n"


def test_run_of_unchanged_code_has_no_diff(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial_run = make_trial_run(trial)
    trial_run.push()
    assert connect(store).list_artifacts(trial_run.run_id, "provenance") == []


def test_error_is_forgotten_after_a_retry(store: Store, trial: Any, make_trial_run: MakeTrialRun) -> None:
    trial.write_rows(1)
    trial.write_json("outcome.json", status="failed", epoch=1, error="out of memory")
    trial_run = make_trial_run(trial)
    trial_run.push()
    trial.write_json("outcome.json", status="completed", epoch=1, error=None)
    make_trial_run(trial).push()
    tags = connect(store).get_run(trial_run.run_id).data.tags
    assert tags["campaign.outcome"] == "completed"
    assert "campaign.error" not in tags
