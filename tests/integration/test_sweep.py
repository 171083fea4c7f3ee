"""What a sweep leaves behind: its JSON, its runs in MLflow, its champion, and what the other commands make of it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import mlflow.pytorch
import pytest
import torch
from mlflow import MlflowClient
from PIL import Image

from orchestrator.tracking import connect
from trainables.config import config_hash, flatten
from trainables.split_log import split_log

Story = Any  # the fixtures' classes live in conftest.py, which tests cannot import
Cli = Any

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.spine]
EPOCHS = 4


@pytest.fixture
def client(story: Story) -> MlflowClient:
    return connect(story.shell.store)


@pytest.fixture
def runs(story: Story) -> dict[str, str]:
    """Trial id -> run id, as the sweep's JSON has it."""
    return {trial["trial_id"]: trial["run_id"] for trial in story.finished.document["trials"]}


def test_document_holds_what_the_contract_names(story: Story) -> None:
    document = story.finished.document
    assert document["sweep"] == "story"
    assert {"experiment_id", "parent_run_id", "trials", "best"} <= document.keys()
    for trial in document["trials"]:
        fixed = {"trial_id", "run_id", "status", "epoch", "config", "metrics"}
        assert trial.keys() == fixed | {"num_images", "errors"}
        assert trial["errors"].keys() == trial["num_images"].keys() >= {"val/accuracy", "val/worst_group_accuracy"}
        assert trial["config"] == json.loads(json.dumps(flatten(story.folder.trial(trial["trial_id"]).config())))
        assert {"val/accuracy", "train/loss", "val/worst_group_accuracy"} <= trial["metrics"].keys()


def test_best_has_the_highest_goal(story: Story) -> None:
    goal = "val/worst_group_accuracy"
    document = story.finished.document
    (best,) = document["best"]
    assert best["metrics"][goal] == max(trial["metrics"][goal] for trial in document["trials"])


def test_the_chosen_trial_alone_was_measured_on_the_test_images(story: Story, client: MlflowClient) -> None:
    """Chosen were the best trial when the sweep of three had ended, and that of four."""
    document = story.finished.document
    (best,) = document["best"]
    tested = {}
    for trial in document["trials"]:
        lines = split_log(story.folder.trial(trial["trial_id"]).path).read_text(encoding="utf-8").splitlines()
        by = [line["by"] for line in map(json.loads, lines) if line["split"] == "test"]
        assert ("test/accuracy" in trial["metrics"]) == bool(by)
        if by:
            tested[trial["trial_id"]] = by
    assert best["trial_id"] in tested
    assert len(tested) <= 2
    assert all(by == ["sweep"] for by in tested.values())
    logged = client.get_run(best["run_id"]).data.metrics
    assert logged["test/accuracy"] == pytest.approx(best["metrics"]["test/accuracy"])


def test_mlflow_has_one_parent_and_one_child_a_trial(story: Story, client: MlflowClient, runs: dict[str, str]) -> None:
    document = story.finished.document
    found = client.search_runs([document["experiment_id"]], "tags.`campaign.sweep` = 'story'")
    kinds = Counter(run.data.tags["campaign.kind"] for run in found)
    assert kinds == {"sweep": 1, "trial": 4}
    assert {run.info.status for run in found} == {"FINISHED"}
    children = {run.data.tags["campaign.trial_id"]: run for run in found if run.data.tags["campaign.kind"] == "trial"}
    assert {trial_id: run.info.run_id for trial_id, run in children.items()} == runs
    for trial_id, run in children.items():
        expected = {
            "mlflow.parentRunId": document["parent_run_id"],
            "campaign.config_hash": config_hash(story.folder.trial(trial_id).config()),
            "campaign.outcome": "completed",
            "campaign.stopped_early": "false",
        }
        assert expected.items() <= run.data.tags.items()
        assert {"campaign.command", "campaign.directory"} <= run.data.tags.keys()


def test_every_epoch_is_in_mlflow_once(client: MlflowClient, runs: dict[str, str]) -> None:
    for run_id in runs.values():
        history = client.get_metric_history(run_id, "val/accuracy")
        assert sorted(metric.step for metric in history) == list(range(1, EPOCHS + 1))


def test_panels_are_images_of_the_run(client: MlflowClient, runs: dict[str, str]) -> None:
    for run_id in runs.values():
        files = [artifact.path for artifact in client.list_artifacts(run_id, "images")]
        assert len([path for path in files if path.endswith(".png")]) >= 2


def test_champion_is_the_best_and_loads(story: Story, client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    (best,) = story.finished.document["best"]
    name = "digits-background-weight"
    assert client.get_model_version_by_alias(name, "champion").run_id == best["run_id"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", story.shell.store.tracking_uri)
    model = mlflow.pytorch.load_model(f"models:/{name}@champion")
    assert model(torch.zeros(2, 3, 48, 48)).logits.shape == (2, 10)


def test_leaderboard_repeats_the_document(story: Story, cli: Cli) -> None:
    ran = cli("leaderboard", "story", "--storage", story.shell.storage, "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == story.finished.document


def test_leaderboard_as_markdown_lists_every_trial(story: Story, cli: Cli) -> None:
    ran = cli("leaderboard", "story", "--storage", story.shell.storage, "--markdown")
    for trial_id in story.folder.trial_ids():
        assert f"| {trial_id} " in ran.out


def test_status_counts_the_trials(story: Story, cli: Cli) -> None:
    ran = cli("status", "story", "--storage", story.shell.storage, "--json")
    status = json.loads(ran.out)
    assert status["trials"] == {"completed": 4}
    assert (status["epochs_done"], status["epochs"], status["is_running"]) == (4 * EPOCHS, 4 * EPOCHS, False)
    assert status["cpu_hours"] > 0


def test_report_is_written_where_it_says(story: Story, cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = cli("report", "story", "--storage", story.shell.storage, "--output", page, "--json")
    assert json.loads(ran.out) == {"sweep": "story", "report": str(page)}
    assert "<html" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("named_by", ["sweep and trial", "folder", "run id"])
def test_explain_finds_a_run_by_each_of_its_names(
    story: Story, cli: Cli, runs: dict[str, str], tmp_path: Path, named_by: str
) -> None:
    run = {"sweep and trial": "story/0000", "folder": story.folder.trial("0000").path, "run id": runs["0000"]}[named_by]
    image = tmp_path / "seven.png"
    Image.new("RGB", (80, 60), (200, 10, 10)).save(image)
    options = ("--output", tmp_path / "panels", "--storage", story.shell.storage, "--json")
    ran = cli("explain", run, image, "--label", "7", *options)
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    (image,) = document["images"]
    assert document["run"] == str(story.folder.trial("0000").path)
    assert image["panel"] == str(tmp_path / "panels" / "seven-7.png")
    with Image.open(image["panel"]) as panel:
        assert panel.width > 80
    assert list(image["probabilities"].values()) == sorted(image["probabilities"].values(), reverse=True)
    assert sum(image["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_explain_names_the_valid_classes(story: Story, cli: Cli, tmp_path: Path) -> None:
    ran = cli("explain", "story/0000", tmp_path / "x.png", "--label", "cat", "--storage", story.shell.storage)
    assert ran.code == 2
    assert "no class 'cat'" in ran.err
    assert "valid classes: 0, 1, 2" in ran.err


def test_explain_names_an_image_that_is_not_there(story: Story, cli: Cli, tmp_path: Path) -> None:
    ran = cli("explain", "story/0000", tmp_path / "x.png", "--output", tmp_path, "--storage", story.shell.storage)
    assert ran.code == 2
    assert str(tmp_path / "x.png") in ran.err


def test_evaluation_of_other_data_stands_beside_the_runs_own(story: Story, cli: Cli, runs: dict[str, str]) -> None:
    folder = story.folder.trial("0000")
    own = folder.evaluation()
    ran = cli("evaluate", "story/0000", "--set", "data.correlation=0", "--storage", story.shell.storage, "--json")
    document = json.loads(ran.out)
    assert document["run_id"] == runs["0000"]
    (other,) = folder.path.glob("evaluation-*.json")
    assert json.loads(other.read_text(encoding="utf-8")) == document["metrics"]
    assert folder.evaluation() == own
    other.unlink()


def test_sync_of_a_whole_sweep_has_nothing_left_to_send(story: Story, cli: Cli) -> None:
    ran = cli("sync", "story", "--storage", story.shell.storage, "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == {"sweep": "story", "synced": 4, "left": []}


def test_sync_rebuilds_a_store_from_the_files(story: Story, cli: Cli, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/other.db"
    ran = cli("sync", "story", "--storage", story.shell.storage, "--tracking-uri", uri, "--json")
    assert ran.code == 0, ran.err
    ran = cli("leaderboard", "story", "--storage", story.shell.storage, "--tracking-uri", uri, "--json")
    rebuilt = {trial["trial_id"]: trial["metrics"] for trial in json.loads(ran.out)["trials"]}
    assert rebuilt == {trial["trial_id"]: trial["metrics"] for trial in story.finished.document["trials"]}


def test_changed_command_on_the_same_name_is_refused(story: Story, cli: Cli) -> None:
    ran = cli("sweep", "digits-background-weight", "--name", "story", "--seed", "1", "--storage", story.shell.storage)
    assert ran.code == 2
    assert "there is a sweep 'story' already, with other" in ran.err
    assert "campaign resume story" in ran.err
