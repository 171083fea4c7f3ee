"""Reports in a real browser: no script of theirs fails, charts are drawn, and tables can be sorted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.reports import write_report
from orchestrator.results.study_result import study_document
from orchestrator.results.trial_rows import trial_rows
from tests.browser import NEEDS_BROWSER, open_browser
from tests.harness.study_on_disk import FOUR, StudyOnDisk
from trainables.json_file import write_json

Builder = Any
"""The `SweepBuilder` of conftest.py."""

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_browser() as page:
        yield page


def open_report(page: Page, folder: SweepFolder) -> list[str]:
    """Open a sweep's report and return what its script complained of."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    path = write_report(folder, trial_rows(folder, {}), command="")
    page.goto(path.as_uri())
    page.locator(".main-svg").first.wait_for(timeout=60_000)
    return errors


def check_charts_and_sorting(page: Page, folder: SweepFolder, *, column: str, expected: list[str]) -> None:
    assert open_report(page, folder) == []
    assert page.locator(".figure").count() == page.locator(".figure:has(.main-svg)").count() > 0
    table = page.locator("table.leaderboard").last
    table.get_by_role("button", name=column).click()
    lines = table.locator("tbody tr").all_inner_texts()
    assert [trial for line in lines for trial in expected if trial in line] == expected


def test_sweep(page: Page, sweep: Builder) -> None:
    for trial_id, value in {"0000": 0.7, "0001": 0.6, "0002": 0.8}.items():
        sweep.trial(trial_id, {"optim.learning_rate": value}, {"val/accuracy": value})
    check_charts_and_sorting(page, sweep.folder, column="val/accuracy", expected=["0001", "0000", "0002"])


def test_study(page: Page, tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    for trial_id, value in FOUR.items():
        study.trial(trial_id, {"val/accuracy": value, "background/influence_share": 1 - value})
    write_json(study.folder.result_path, study_document(study.folder))
    expected = ["plain-s0", "contrastive-s0", "plain-s1", "contrastive-s1"]
    check_charts_and_sorting(page, study.folder, column="val/accuracy", expected=expected)
