"""The evaluations of a trial in MLflow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from orchestrator.files.evaluation_files import read_evaluations
from orchestrator.reports.evaluation_charts import charts_page
from orchestrator.tracking import Store, TrialRun, connect
from tests.harness.page_reading import Page

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

CURVE = {"chart": "under attack", "name": "PGD", "x_label": "radius", "y_label": "accuracy", "x": [0, 1], "y": [0.9, 0]}


def write_evaluation(trial: Any, name: str, *, images: tuple[str, ...] = (), **fields: Any) -> None:
    folder = trial.folder / "evaluation"
    folder.mkdir(exist_ok=True)
    for image in images:
        (folder / name).mkdir(exist_ok=True)
        Image.new("RGB", (20, 10), "red").save(folder / name / f"{image}.png")
    trial.write_json(f"evaluation/{name}.json", part=name, **fields)


def artifacts(store: Store, run_id: str | None, folder: str) -> list[str]:
    return sorted(Path(file.path).name for file in connect(store).list_artifacts(run_id, folder))


def test_evaluations_arrive_with_their_images_and_charts(
    store: Store, trial: Any, make_trial_run: Callable[..., TrialRun]
) -> None:
    trial.write_rows(3)
    write_evaluation(trial, "pgd", curves=[CURVE])
    write_evaluation(trial, "gallery", images=("cat", "dog"))
    trial_run = make_trial_run(trial)
    trial_run.push()
    assert artifacts(store, trial_run.run_id, "evaluation") == ["charts.html", "gallery.json", "pgd.json"]
    series = [name.split("%")[0] for name in artifacts(store, trial_run.run_id, "images") if name.endswith(".png")]
    assert [name.rpartition("~")[2].split("+")[:3:2] for name in series] == [["cat", "3"], ["dog", "3"]]


def test_documents_arrive_in_the_folder_of_their_evaluation(
    store: Store, trial: Any, make_trial_run: Callable[..., TrialRun]
) -> None:
    trial.write_rows(1)
    write_evaluation(trial, "mean", images=("map",))
    trial.write_json("evaluation/mean/grids.json", influence=[[1.0, 2.0]])
    trial_run = make_trial_run(trial)
    trial_run.push()
    assert artifacts(store, trial_run.run_id, "evaluation") == ["mean", "mean.json"]
    assert artifacts(store, trial_run.run_id, "evaluation/mean") == ["grids.json"]


def test_only_what_changed_is_sent_again(store: Store, trial: Any, make_trial_run: Callable[..., TrialRun]) -> None:
    trial.write_rows(1)
    write_evaluation(trial, "gallery", images=("cat",))
    write_evaluation(trial, "mean", images=("map",))
    trial_run = make_trial_run(trial)
    trial_run.push()
    before = artifacts(store, trial_run.run_id, "images")
    make_trial_run(trial).push()
    assert artifacts(store, trial_run.run_id, "images") == before
    write_evaluation(trial, "mean", images=("map",), seconds=2)
    make_trial_run(trial).push()
    assert artifacts(store, trial_run.run_id, "images") == before
    write_evaluation(trial, "mean", images=("map",), metrics={"val/loss": 2})
    make_trial_run(trial).push()
    news = set(artifacts(store, trial_run.run_id, "images")) - set(before)
    assert news
    assert all("mean~map" in name for name in news)


def test_without_curves_there_is_no_page(trial: Any) -> None:
    write_evaluation(trial, "accuracy", curves=[])
    assert charts_page(read_evaluations(trial.folder / "evaluation")) is None


def test_curves_of_one_chart_share_a_figure_and_the_script_comes_once(trial: Any) -> None:
    write_evaluation(trial, "a", curves=[CURVE, {**CURVE, "chart": "flipping", "name": "hirescam"}])
    write_evaluation(trial, "b", curves=[{**CURVE, "chart": "flipping", "name": "gradcam"}])
    page = charts_page(read_evaluations(trial.folder / "evaluation"))
    assert page is not None
    assert len(Page(page).figures) == 2
    assert len(page) < 8e6
    assert not Page(page).attributes("script", "src")


def test_broken_evaluation_is_named(trial: Any) -> None:
    folder = trial.folder / "evaluation"
    folder.mkdir()
    (folder / "pgd.json").write_text("{")
    with pytest.raises(ValueError, match=r"pgd\.json: not valid JSON"):
        read_evaluations(folder)
