"""The result of a study on its parent run, and its arms as tags of the trials' runs."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from orchestrator.tracking import Store, SweepIdentity, connect, open_sweep_run, write_study


def figure(mean: float | None) -> dict[str, Any]:
    return {"mean": mean, "std": None}


def write_result(folder: Path, mean: float) -> None:
    arms = [
        {"arm": "plain", "figures": {"val/accuracy": figure(mean), "val/background/rfs": figure(None)}},
        {"arm": "noisy", "figures": {"val/accuracy": figure(0.25), "val/ood/a(b)/auroc": figure(0.5)}},
    ]
    (folder / "study.json").write_text(json.dumps({"arms": arms}), encoding="utf-8")
    (folder / "study.md").write_text(f"| plain | {mean} |\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sweep.yaml").write_text("name: pair\n")
    write_result(tmp_path, 0.75)
    return tmp_path


@pytest.fixture
def parent(store: Store, experiment_id: str, folder: Path) -> str:
    return open_sweep_run(store, SweepIdentity(experiment_id, "pair"), folder)


def test_files_become_artifacts_and_means_metrics(store: Store, parent: str, folder: Path, tmp_path: Path) -> None:
    assert write_study(store, parent, folder, step=4)
    run = connect(store).get_run(parent)
    unsafe = next(name for name in run.data.metrics if name.startswith("study/noisy/val/ood/a_b_/auroc-"))
    assert run.data.metrics == {"study/plain/val/accuracy": 0.75, "study/noisy/val/accuracy": 0.25, unsafe: 0.5}
    for name in ("study.md", "study.json"):
        kept = Path(connect(store).download_artifacts(parent, name, str(tmp_path)))
        assert kept.read_text() == (folder / name).read_text()


def test_result_is_written_over(store: Store, parent: str, folder: Path) -> None:
    for mean in (0.75, 0.75, 0.5):
        write_result(folder, mean)
        assert write_study(store, parent, folder, step=4)
    history = connect(store).get_metric_history(parent, "study/plain/val/accuracy")
    assert [metric.value for metric in history] == [0.75, 0.5]


def test_outage_leaves_a_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not write_study(Store(f"sqlite:///{folder / 'gone.db'}"), "0" * 32, folder, step=4)
    assert [record.levelno for record in caplog.records if "the study's result" in record.message] == [logging.WARNING]


def test_labels_are_tags_of_the_trial(tmp_path: Path) -> None:
    identity = SweepIdentity("1", "pair").trial("plain-s0", "abc", labels={"campaign.arm": "plain"})
    assert identity.tags(tmp_path)["campaign.arm"] == "plain"
    assert "campaign.arm" not in identity.key
