"""`campaign inspect`: what it runs, writes, prints and refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.tracking import connect, resolve_store

Cli = Callable[..., Any]
TINY = ("data.num_train=64", "data.num_test=10", "data.image_size=32", "model.width=4", "training.epochs=1")
FEW = ("--set", "evaluation.suite.sample=8", "--set", "evaluation.suite.inside.num_concepts=2")
PARTS = ("channels", "concepts", "circuits", "gap")


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return tmp_path / "storage"


def train(cli: Cli, storage: Path, name: str, *settings: str) -> None:
    given = [word for setting in (*TINY, *settings) for word in ("--set", setting)]
    assert cli("train", "digits", "--name", name, *given, "--storage", storage).code == 0


def test_missing_parts_are_run_and_the_page_is_in_mlflow(cli: Cli, storage: Path) -> None:
    train(cli, storage, "one")
    assert cli("evaluate", "one", "--suite", "channels", *FEW, "--storage", storage).code == 0
    ran = cli("inspect", "one", *FEW, "--storage", storage, "--json")
    document = json.loads(ran.out, parse_constant=pytest.fail)
    first, *others = ran.err.splitlines()
    assert first == "one [1/4] channels: finished before"
    assert [line.split(":")[0] for line in others] == [f"one [{n}/4] {part}" for n, part in enumerate(PARTS[1:], 2)]
    assert "campaign inspect one --set" in Path("inspection.html").read_text(encoding="utf-8")
    (run,) = document["runs"]
    assert (document["page"], run["run"], run["skipped"]) == ("inspection.html", "one", {})
    assert {name.split("/")[1] for name in run["metrics"]} == set(PARTS)
    artifacts = connect(resolve_store(storage, None)).list_artifacts(run["run_id"])
    assert "inspection.html" in [artifact.path for artifact in artifacts]


@pytest.mark.parametrize(
    ("runs", "message"), [(("one", "absent"), "no run 'absent'"), (("one", "one"), "a run is named twice: one, one")]
)
def test_users_error_is_one_clear_line(cli: Cli, storage: Path, runs: tuple[str, ...], message: str) -> None:
    place = storage / "runs" / "one" / "config.yaml"
    place.parent.mkdir(parents=True)
    place.write_text("data: {kind: spurious_digits}\n", encoding="utf-8")
    ran = cli("inspect", *runs, "--storage", storage)
    assert (ran.code, ran.out) == (2, "")
    (error,) = ran.err.splitlines()
    assert error.startswith(f"error: {message}")
    assert not Path("inspection.html").exists()


def test_run_without_a_checkpoint_is_refused(cli: Cli, storage: Path) -> None:
    place = storage / "runs" / "one" / "config.yaml"
    place.parent.mkdir(parents=True)
    place.write_text("data: {kind: spurious_digits}\n", encoding="utf-8")
    ran = cli("inspect", "one", "--storage", storage)
    assert (ran.code, ran.out) == (2, "")
    (error,) = ran.err.splitlines()
    assert "checkpoint" in error
    assert not Path("inspection.html").exists()
