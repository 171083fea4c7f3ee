"""A page among a run's artifacts: over an earlier one, or a warning while MLflow is away."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.tracking import Store, connect, resolve_store, send_page


def test_page_takes_the_place_of_an_earlier_one(store: Store, trial: Any, make_trial_run: Any, tmp_path: Path) -> None:
    run_id, page = make_trial_run(trial).run_id, tmp_path / "page.html"
    (tmp_path / "sent").mkdir()
    for text in ("<p>first</p>", "<p>zweite Größe</p>"):
        page.write_text(text, encoding="utf-8")
        assert send_page(store, run_id, page, "inspection.html")
    (artifact,) = connect(store).list_artifacts(run_id)
    assert artifact.path == "inspection.html"
    sent = connect(store).download_artifacts(run_id, "inspection.html", str(tmp_path / "sent"))
    assert Path(sent).read_text(encoding="utf-8") == "<p>zweite Größe</p>"


def test_mlflow_that_is_away_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>page</p>", encoding="utf-8")
    assert not send_page(resolve_store(tmp_path, "http://127.0.0.1:9"), "0" * 32, page, "page.html")
    assert f"{page} is not in MLflow (the same command sends it): " in caplog.text
