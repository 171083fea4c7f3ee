"""What `campaign train` refuses before it trains, and what its run says of the code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.launch.train import train_one
from orchestrator.tracking import connect, resolve_store
from trainables.config import experiment_from_tree
from trainables.json_file import write_json

Cli = Callable[..., Any]
ADDRESS = "127.0.0.1:1"
TINY: dict[str, Any] = {
    "data": {"kind": "spurious_digits", "num_train": 32, "num_test": 32, "image_size": 32},
    "model": {"kind": "small_cnn", "width": 4},
    "training": {"epochs": 1, "batch_size": 16},
    "evaluation": {"panel_images": 0},
}


@pytest.mark.parametrize("named_by", ["--address", "RAY_ADDRESS"])
def test_cluster_is_not_named_for_a_run_without_workers(
    named_by: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named_by == "RAY_ADDRESS":
        monkeypatch.setenv("RAY_ADDRESS", ADDRESS)
    option = ("--address", ADDRESS) if named_by == "--address" else ()
    ran = cli("train", "digits", "--storage", tmp_path, *option)
    assert ran.code == 2
    assert f"resources.workers = 0 trains in this process, and not on the cluster at {ADDRESS}: " in ran.err
    assert "--set resources.workers=1 trains there" in ran.err
    assert list(tmp_path.iterdir()) == []


# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates.
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
def test_run_holds_the_changes_to_the_code_that_made_it(tmp_path: Path) -> None:
    folder, store = tmp_path / "runs" / "one", resolve_store(tmp_path)
    folder.mkdir(parents=True)
    write_json(folder / "provenance.json", {"campaign.git_dirty": "true"})
    (folder / "provenance.diff").write_text("+ changed\n")
    config = experiment_from_tree(TINY)
    trial_run, _ = train_one(config, name="one", campaign="tests", storage=tmp_path, store=store)
    diff = connect(store).download_artifacts(trial_run.run_id, "provenance/diff.patch")
    assert Path(diff).read_text() == "+ changed\n"
