"""A real sqlite store, and trial folders to send to it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from orchestrator.reports.evaluation_charts import charts_page
from orchestrator.tracking import RunIdentity, Store, TrialRun, ensure_experiment, resolve_store
from trainables.config import ExperimentConfig, config_hash, to_yaml
from trainables.trial_folder import TrialFolder


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return resolve_store(tmp_path_factory.mktemp("storage"))


@pytest.fixture
def experiment_id(store: Store, request: pytest.FixtureRequest) -> str:
    return ensure_experiment(store, request.node.nodeid)


class Trial:
    """Writes a trial's folder as the training loop and the driver do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(to_yaml(ExperimentConfig()))

    def write_rows(self, epochs: int) -> None:
        lines = [json.dumps(row(epoch)) + "\n" for epoch in range(1, epochs + 1)]
        (self.folder / "metrics.jsonl").write_text("".join(lines))

    def write_json(self, name: str, /, **values: Any) -> None:
        (self.folder / name).write_text(json.dumps(values))

    def draw_panels(self, epoch: int, images: tuple[str, ...] = ("a", "b")) -> None:
        folder = self.folder / "panels" / f"epoch-{epoch}"
        folder.mkdir(parents=True)
        for image in images:
            Image.new("RGB", (40, 10), (epoch, 0, 0)).save(folder / f"{image}.png")


def row(epoch: int) -> dict[str, float]:
    return {"epoch": epoch, "train/loss": 1 / epoch, "val/accuracy": epoch / 10, "time/ended_s": 1e9 + epoch}


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path / "sweep" / "trial-0001")


@pytest.fixture
def make_trial_run(request: pytest.FixtureRequest) -> Callable[..., TrialRun]:
    """Return a maker of runs, in the sqlite store unless it is given another one with its experiment."""

    def make(trial: Trial, **options: Any) -> TrialRun:
        if "store" not in options:
            options["store"] = request.getfixturevalue("store")
            options["experiment_id"] = request.getfixturevalue("experiment_id")
        fields = {"sweep": "digits", "config_hash": config_hash(ExperimentConfig()), **options.pop("identity", {})}
        identity = RunIdentity(experiment_id=options.pop("experiment_id"), trial_id=trial.folder.name, **fields)
        return TrialRun(options.pop("store"), identity, TrialFolder(trial.folder), draw_curves=charts_page, **options)

    return make
