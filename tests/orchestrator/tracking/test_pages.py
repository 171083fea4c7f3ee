"""Addresses of MLflow's pages."""

from pathlib import Path

from orchestrator.tracking import Store, ensure_experiment, resolve_store
from orchestrator.tracking.pages import runs_page, runs_pages, where_runs_are


def test_page_is_that_of_the_experiments_runs() -> None:
    assert runs_page("http://127.0.0.1:5000/", "3") == "http://127.0.0.1:5000/#/experiments/3/runs"


def test_every_experiment_but_the_empty_default_has_its_page(tmp_path: Path) -> None:
    store = resolve_store(tmp_path)
    ids = {name: ensure_experiment(store, name) for name in ("first", "second")}
    assert runs_pages(store, "http://host:1") == {
        "second": f"http://host:1/#/experiments/{ids['second']}/runs",
        "first": f"http://host:1/#/experiments/{ids['first']}/runs",
    }


def test_runs_of_a_database_are_shown_by_campaign_ui(tmp_path: Path) -> None:
    line = where_runs_are(resolve_store(tmp_path), "7")
    assert line == "runs in MLflow: campaign ui, then http://127.0.0.1:5000/#/experiments/7/runs"


def test_runs_of_a_server_are_there_already() -> None:
    assert where_runs_are(Store("http://head:5000"), "7") == "runs in MLflow: http://head:5000/#/experiments/7/runs"


def test_address_hides_the_password() -> None:
    line = where_runs_are(Store("http://me:secret@head:5000"), "7")
    assert line == "runs in MLflow: http://me:***@head:5000/#/experiments/7/runs"
