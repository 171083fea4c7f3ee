"""Pages in a real browser, light and dark: no console message, no axe violation, charts, sorting, the keyboard."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.reports.report import write_report
from orchestrator.reports.run_comparison import evaluation_section, write_comparison
from orchestrator.reports.sweep_page import write_page
from orchestrator.results.study_result import study_document
from orchestrator.results.trial_rows import trial_rows
from tests.browser import NEEDS_BROWSER, open_browser
from tests.harness.study_on_disk import FOUR, StudyOnDisk
from trainables.trial_folder import write_json

Builder = Any
"""The `SweepBuilder` of conftest.py."""
GPU = "GL Driver Message"
"""How Chromium's messages about its own software rendering begin; no page can avoid them."""
GRID = [[float(row + column) for column in range(4)] for row in range(4)]

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as page:
        assert page.context.browser is not None
        yield page.context.browser


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=request.param)
    yield page
    page.close()


def check(page: Page, path: Path) -> None:
    """Open a page and look for messages, rules of accessibility that it breaks, and tables out of the keyboard's reach.

    Every rule of axe applies, without exceptions.
    """
    messages: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if GPU not in message.text:
            messages.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(path.as_uri())
    page.locator(".main-svg").first.wait_for(timeout=60_000)
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == []
    assert page.locator(".figure").count() == page.locator(".figure:has(.main-svg)").count() > 0
    regions = page.locator(".scroll").all()
    assert page.locator("table").count() <= len(regions)
    for region in (region for region in regions if region.is_visible()):
        region.focus()
        assert region.evaluate("region => region === document.activeElement")
        assert region.get_attribute("role") == "region"
    assert messages == []


def check_sorting(page: Page, *, column: str, expected: list[str]) -> None:
    table = page.locator("table.leaderboard").last
    table.get_by_role("button", name=column).click()
    lines = table.locator("tbody tr").all_inner_texts()
    assert [trial for line in lines for trial in expected if trial in line] == expected


def sweep_of_three(sweep: Builder) -> SweepFolder:
    """Write two objectives, evaluated with masks and with mean maps."""
    for trial_id, value, kind in (("0000", 0.7, "contrastive"), ("0001", 0.6, "contrastive"), ("0002", 0.8, "plain")):
        own = {"objective.kind": kind, "objective.background_weight": value} if kind == "contrastive" else {}
        metrics = {"val/accuracy": value, "val/background/influence_share": 1 - value}
        sweep.trial(trial_id, {"optim.learning_rate": value, **own}, metrics, panels=("image",))
        sweep.evaluation(trial_id, "mean_influence", images={"mean_influence": "red"}, settings={"seed": 0})
        place = sweep.folder.trial(trial_id).path / "evaluation" / "mean_influence" / "grids.json"
        write_json(place, {"influence": GRID, "around": GRID})
        curve = {"chart": "flipping", "name": "one", "x_label": "x", "y_label": "y", "x": [0, 1], "y": [1, value]}
        sweep.evaluation(trial_id, "attribution-one", curves=[curve], settings={"seed": 3})
    return sweep.folder


def test_report(page: Page, sweep: Builder) -> None:
    folder = sweep_of_three(sweep)
    check(page, write_report(folder, sweep.rows(), command="campaign sweep"))
    check_sorting(page, column="val/accuracy", expected=["0001", "0000", "0002"])


def test_comparison(page: Page, sweep: Builder, tmp_path: Path) -> None:
    sweep_of_three(sweep)
    path = tmp_path / "page.html"
    write_comparison(evaluation_section([sweep.run("0000"), sweep.run("0002")]), command="campaign compare", path=path)
    check(page, path)


@pytest.mark.parametrize(("page", "num_goals"), [("light", 1), ("dark", 2), ("light", 3)], indirect=["page"])
def test_plots_of_a_sweep(page: Page, sweep: Builder, tmp_path: Path, num_goals: int) -> None:
    sweep_of_three(sweep)
    rows, path = sweep.rows(), tmp_path / "plots.html"
    goals: dict[str, Any] = {"val/accuracy": "max", "val/background/influence_share": "min", "train/loss": "min"}
    goals = dict(list(goals.items())[:num_goals])
    path.write_text(write_page(rows, rows[:1], goals, {"optim.learning_rate": 1.0}), encoding="utf-8")
    check(page, path)


def test_study(page: Page, tmp_path: Path) -> None:
    study = StudyOnDisk(tmp_path)
    for trial_id, value in FOUR.items():
        study.trial(trial_id, {"val/accuracy": value, "val/background/influence_share": 1 - value})
    write_json(study.folder.result_path, study_document(study.folder))
    check(page, write_report(study.folder, trial_rows(study.folder, {}), command="campaign study pair"))
    expected = ["plain-s0", "contrastive-s0", "plain-s1", "contrastive-s1"]
    check_sorting(page, column="val/accuracy", expected=expected)
