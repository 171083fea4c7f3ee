"""Two Ray Train workers: one config, and a promoted trial."""

from typing import Any

import pytest

from orchestrator.tracking import connect

Promoted = Any  # the fixtures' classes live in conftest.py, which tests cannot import
Shell = Any
Story = Any

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.spine]
PAIR = ("--set=data.num_train=128", "--set=data.num_test=32", "--set=model.width=4", "--set=training.epochs=2")


def test_one_config_trains_on_two_workers(shell: Shell) -> None:
    ran = shell.run("train", "digits", "--name=pair", "--json", "--set=resources.workers=2", *PAIR)
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["folder"] == str(shell.storage / "runs" / "pair")
    assert document["metrics"]["epoch"] == 2
    client = connect(shell.store)
    history = client.get_metric_history(document["run_id"], "val/accuracy")
    assert sorted(metric.step for metric in history) == [1, 2]
    assert client.get_run(document["run_id"]).info.status == "FINISHED"


def test_promoted_trial_keeps_its_id_and_says_where_it_comes_from(story: Story, promoted: Promoted) -> None:
    assert promoted.ran.code == 0, promoted.ran.err
    (best,) = story.finished.document["best"]
    (trial,) = promoted.ran.document["trials"]
    assert (trial["trial_id"], trial["status"], trial["epoch"]) == (best["trial_id"], "completed", 2)
    tags = connect(story.shell.store).get_run(trial["run_id"]).data.tags
    expected = {
        "campaign.promoted_from": best["run_id"],
        "campaign.scale": "pair.yaml",
        "campaign.sweep": "story-pair",
        "mlflow.parentRunId": promoted.ran.document["parent_run_id"],
    }
    assert expected.items() <= tags.items()
    source = connect(story.shell.store).get_run(best["run_id"])
    assert source.data.tags["campaign.promoted_to.story-pair"] == trial["run_id"]


def test_promotion_changes_what_it_printed_and_nothing_else(story: Story, promoted: Promoted) -> None:
    (best,) = story.finished.document["best"]
    (trial,) = promoted.ran.document["trials"]
    changed = {
        field: (best["config"][field], value)
        for field, value in trial["config"].items()
        if best["config"][field] != value
    }
    assert changed == {"training.epochs": (4, 2), "resources.workers": (0, 2)}
    for field, (before, after) in changed.items():
        assert f"{best['trial_id']}  {field}: {before} -> {after}" in promoted.ran.err
