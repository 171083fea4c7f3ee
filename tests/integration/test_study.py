"""A study by the real command line, one of whose arms breaks down: interrupted, resumed, run again."""

import json
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.tracking import connect
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.fault_message import NoteMessage
from trainables.json_file import read_json

Shell = Any  # the fixtures' classes live in conftest.py, which tests cannot import
Ran = Any

pytestmark = [pytest.mark.ray, pytest.mark.slow]
EPOCHS = 3
TRIALS = ["plain-s0", "contrastive-s0", "plain-s1", "contrastive-s1"]
WILD = ["wild-s0", "wild-s1"]
STUDY = f"""
name: pair
summary: Does it help?
base: digits
set:
  data.num_train: 128
  data.num_test: 32
  model.width: 4
  training.epochs: {EPOCHS}
  evaluation.panel_images: 1
  evaluation.suite.sample: 16
arms:
  plain: {{}}
  contrastive:
    objective.kind: contrastive
  wild: {{optim.learning_rate: 1.0e+30}}
seeds: [0, 1]
evaluations: [removal]
metrics: [test/accuracy, train/accuracy, shift/*/accuracy, test/background/influence_share, test/background/object_grey]
"""
COMMAND = ("study", "pair.yaml", "--name=pair", "--concurrent=1", "--json")


@dataclass(frozen=True)
class Story:
    """A study that was interrupted, and resumed."""

    shell: Shell
    interrupted: Ran
    done_at_interrupt: int
    resumed: Ran

    @property
    def folder(self) -> SweepFolder:
        return SweepFolder.of(self.shell.storage, "pair")

    @property
    def arms(self) -> list[dict[str, Any]]:
        """The arms that did not break down."""
        return [arm for arm in self.document["study"]["arms"] if arm["arm"] != "wild"]

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = self.resumed.document
        return document


@pytest.fixture(scope="module")
def story(shell: Shell) -> Story:
    (shell.storage / "pair.yaml").write_text(STUDY, encoding="utf-8")
    folder = SweepFolder.of(shell.storage, "pair")
    driver = shell.start(*COMMAND)
    while not any(folder.trial(trial_id).rows() for trial_id in folder.trial_ids()):
        if driver.poll() is not None:
            pytest.fail(f"the study ended too early\n{driver.communicate()}")
        time.sleep(0.02)
    driver.send_signal(signal.SIGTERM)  # As systemd, Slurm and `docker stop` do.
    out, err = driver.communicate(timeout=240)
    interrupted, done = Ended(driver.returncode, out, err), folder.num_finished()
    return Story(shell, interrupted, done, shell.run("resume", "pair", "--json"))


@dataclass(frozen=True)
class Ended:
    """What the interrupted command left."""

    code: int
    out: str
    err: str


@pytest.fixture
def client(story: Story) -> MlflowClient:
    return connect(story.shell.store)


@pytest.mark.fault("SIGTERM to a study.")
def test_sigterm_leaves_trials_and_says_how_to_go_on(
    story: Story, note_message: NoteMessage, count_epochs: CountEpochs
) -> None:
    note_message(story.interrupted.err.splitlines())
    count_epochs(epochs_in_files(map(story.folder.trial, TRIALS)), EPOCHS)
    in_mlflow = epochs_in_mlflow(story.shell.store, "pair")
    count_epochs({trial_id: in_mlflow[trial_id] for trial_id in TRIALS}, EPOCHS)
    assert story.interrupted.code == 143
    assert "SIGTERM" not in story.interrupted.err  # The head of Ray's dump of its stack.
    assert "Traceback" not in story.interrupted.err
    assert story.done_at_interrupt < len(TRIALS)
    assert story.interrupted.err.endswith("interrupted; continue with: campaign resume pair\n")
    study = json.loads(story.interrupted.out)["study"]
    assert len(study["warnings"]) >= len(TRIALS) - story.done_at_interrupt
    assert sum(arm["num_seeds"] for arm in study["arms"]) == story.done_at_interrupt


def test_resume_trains_and_evaluates_every_trial(story: Story) -> None:
    assert story.resumed.code == 1, story.resumed.err
    statuses = {trial["trial_id"]: trial["status"] for trial in story.document["trials"]}
    assert statuses == dict.fromkeys(TRIALS, "completed") | dict.fromkeys(WILD, "failed")
    for trial_id in TRIALS:
        folder = story.folder.trial(trial_id)
        assert [row["epoch"] for row in folder.rows()] == list(range(1, EPOCHS + 1))
        assert {path.stem for path in (folder.path / "evaluation").glob("*.json")} == {
            "accuracy",
            "groups",
            "influence",
            "shift",
            "removal",
        }


def test_same_command_again_does_nothing_new_and_has_the_same_figures(
    story: Story, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(story.shell.storage)
    again = cli(*COMMAND, "--storage", story.shell.storage)
    assert again.code == 1, again.err
    assert json.loads(again.out) == story.resumed.document
    assert "epoch" not in again.err
    ended = [line for line in again.err.splitlines() if "/6] " in line]
    skipped = [line for line in ended if "multilabel: skipped: the data have no images of several labels" in line]
    assert (len(ended), len(skipped)) == (6 * len(TRIALS), len(TRIALS))
    assert all(line.endswith("finished before") for line in ended if line not in skipped)


def test_figures_are_those_of_the_trials(story: Story) -> None:
    for arm in story.arms:
        for metric, figure in arm["figures"].items():
            values = []
            for seed in (0, 1):
                trial = story.folder.trial(f"{arm['arm']}-s{seed}")
                values.append({**trial.rows()[-1], **(trial.evaluation() or {})}[metric])
            assert figure["mean"] == pytest.approx(sum(values) / 2), metric
            assert figure["by_seed"] == {"0": values[0], "1": values[1]}


def test_every_arm_has_its_difference_and_what_its_interval_covers(story: Story) -> None:
    plain, contrastive = story.arms
    covers = {metric: figure["difference"]["covers"] for metric, figure in contrastive["figures"].items()}
    assert covers == {
        "test/accuracy": "seeds and images",
        "train/accuracy": "seeds",
        "shift/random_background/accuracy": "seeds and images",
        "shift/unseen_textures/accuracy": "seeds and images",
        "test/background/influence_share": "seeds",
        "test/background/object_grey": "seeds and images",
    }
    assert all(figure["difference"] is None for figure in plain["figures"].values())
    assert contrastive["figures"]["test/background/object_grey"]["difference"]["num_pictures"] == 16
    for metric, figure in contrastive["figures"].items():
        difference = figure["mean"] - plain["figures"][metric]["mean"]
        assert figure["difference"]["mean"] == pytest.approx(difference, abs=1e-6), metric


def test_table_lies_in_the_folder_and_on_the_parent_run(story: Story, client: MlflowClient, tmp_path: Path) -> None:
    parent = story.document["parent_run_id"]
    assert read_json(story.folder.path / "study.json") == story.document["study"]
    for name in ("study.md", "study.json"):
        kept = Path(client.download_artifacts(parent, name, str(tmp_path)))
        assert kept.read_text() == (story.folder.path / name).read_text()
    text = (story.folder.path / "study.md").read_text()
    assert "| plain | 2 | " in text
    assert "| contrastive | 2 | " in text
    assert "wild changes `optim.learning_rate: 0.002 -> 1e+30`" in text


def test_parent_run_has_the_means_and_the_whole_leaderboard(story: Story, client: MlflowClient, tmp_path: Path) -> None:
    run = client.get_run(story.document["parent_run_id"])
    assert run.info.status == "FINISHED"
    for arm in story.arms:
        for metric, figure in arm["figures"].items():
            assert run.data.metrics[f"study/{arm['arm']}/{metric}"] == figure["mean"]
    table = json.loads(Path(client.download_artifacts(run.info.run_id, "leaderboard.json", str(tmp_path))).read_text())
    assert "test/background/object_grey" in table["columns"]


def test_trials_runs_are_tagged_and_have_the_evaluations(story: Story, client: MlflowClient) -> None:
    found = client.search_runs([story.document["experiment_id"]], "tags.`campaign.kind` = 'trial'")
    tags = [(run.data.tags["campaign.arm"], run.data.tags["campaign.seed"]) for run in found]
    assert Counter(tags) == {(arm, seed): 1 for arm in ("plain", "contrastive", "wild") for seed in ("0", "1")}
    assert {run.data.tags["campaign.study"] for run in found} == {"pair"}
    trained = [run for run in found if run.data.tags["campaign.arm"] != "wild"]
    assert [run.info.status for run in found].count("FAILED") == len(WILD)
    assert {run.info.status for run in trained} == {"FINISHED"}
    assert all("test/background/object_grey" in run.data.metrics for run in trained)


def test_study_is_a_sweep_for_the_other_commands(story: Story, cli: Any, tmp_path: Path) -> None:
    storage = ("--storage", story.shell.storage)
    assert json.loads(cli("status", "pair", *storage, "--json").out)["trials"] == {"completed": 4, "failed": 2}
    board = json.loads(cli("leaderboard", "pair", *storage, "--json").out)
    assert {key: board[key] for key in ("trials", "best")} == {key: story.document[key] for key in ("trials", "best")}
    assert cli("report", "pair", *storage, "--output", tmp_path / "page.html").code == 0
    assert 'id="study"' in (tmp_path / "page.html").read_text(encoding="utf-8")
    ran = cli("extend", "pair", "--trials", "1", *storage)
    assert ran.code == 2
    assert "sweep pair is a fixed list of trials" in ran.err


def test_sync_rebuilds_a_study_from_its_files(story: Story, cli: Any, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/other.db"
    ran = cli("sync", "pair", "--storage", story.shell.storage, "--tracking-uri", uri, "--json")
    assert ran.code == 0, ran.err
    document = json.loads(
        cli("leaderboard", "pair", "--storage", story.shell.storage, "--tracking-uri", uri, "--json").out
    )
    from orchestrator.tracking import resolve_store

    run = connect(resolve_store(story.shell.storage, uri)).get_run(document["parent_run_id"])
    assert "study/plain/test/accuracy" in run.data.metrics


def test_arm_that_breaks_down_is_said_and_the_rest_shown(story: Story) -> None:
    assert "2 trials failed; try again with: campaign resume pair --retry-failed" in story.resumed.err
    warnings = " ".join(story.document["study"]["warnings"])
    assert all(f"{trial_id} failed after epoch 0 (FloatingPointError" in warnings for trial_id in WILD)
    text = (story.folder.path / "study.md").read_text()
    assert "| wild | 0 of 2 | – |" in text  # noqa: RUF001
