"""What `campaign train` refuses before it trains, and what its run says of the code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.launch.train import train_one
from orchestrator.tracking import connect, resolve_store
from trainables.config import experiment_from_tree, override
from trainables.json_file import write_json
from trainables.outcome import Outcome

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


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
def test_run_that_stops_early_has_completed_and_keeps_its_best_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The accuracy cannot rise by more than 1, so the second epoch is the last."""
    store, early = resolve_store(tmp_path), {"metric": "val/accuracy", "patience": 1, "min_delta": 1.0}
    training = {"keep": "best", "keep_metric": "val/loss", "early_stopping": early, "epochs": 9}
    config = experiment_from_tree(override(TINY, {f"training.{key}": value for key, value in training.items()}))
    trial_run, folder = train_one(config, name="one", campaign="tests", storage=tmp_path, store=store)
    reason = "early stopping after epoch 2: val/accuracy did not improve by more than 1 for 1 epoch"
    losses = [row["val/loss"] for row in folder.rows()]
    kept = 1 + losses.index(min(losses))
    assert folder.outcome() == Outcome("completed", 2, kept_epoch=kept, reason=reason)
    assert f"{reason}\n    [100%, 0s left]" in capsys.readouterr().err
    evaluation = folder.evaluation()
    assert evaluation is not None
    assert (evaluation["kept_epoch"], evaluation["val/loss"]) == (kept, min(losses))
    run = connect(store).get_run(trial_run.run_id)
    assert (run.info.status, run.data.tags["campaign.reason"]) == ("FINISHED", reason)
    assert run.data.metrics["val/loss"] == pytest.approx(min(losses))
