"""The page of two networks in a real browser, wide and narrow: messages, accessibility, lists, columns."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from orchestrator.files.evaluation_files import read_evaluations
from orchestrator.launch.evaluation import EvaluationRequest, evaluate_run
from orchestrator.reports.inspection.page import InspectedRun, render_inspection, write_inspection
from orchestrator.results.evaluated import read_run
from tests.browser import NEEDS_BROWSER, open_browser
from tests.harness.page_reading import Page as ReadPage
from trainables.config import experiment_from_tree
from trainables.evaluations import select
from trainables.training import LocalContext
from trainables.trial import run_trial
from trainables.trial_folder import TrialFolder

TINY: dict[str, Any] = {
    "data": {"kind": "spurious_digits", "num_train": 64, "num_test": 16, "image_size": 32},
    "model": {"kind": "small_cnn", "width": 4, "norm": "group"},
    "optim": {"kind": "adamw", "warmup_epochs": 0},
    "training": {"epochs": 1, "batch_size": 16},
    "evaluation": {"panel_images": 0, "suite": {"sample": 12, "inside": {"num_concepts": 3}}},
}
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> InspectedRun:
    """A trained network whose parts were all measured."""
    folder = TrialFolder(tmp_path_factory.mktemp("storage") / "runs" / "one")
    config = experiment_from_tree(TINY)
    folder.claim(config)
    run_trial(config, LocalContext(folder))
    evaluate_run(EvaluationRequest(folder, {}, select("inside")))
    run = read_run(folder, "one")
    return InspectedRun(replace(run, evaluations={e.name: e for e in read_evaluations(folder.evaluations_path)}), {})


def without(inspected: InspectedRun, part: str, name: str, why: str) -> InspectedRun:
    """Return the run under another name and without an evaluation."""
    run = inspected.run
    row, kept = {**run.row, "trial_id": name}, {key: each for key, each in run.evaluations.items() if key != part}
    return InspectedRun(replace(run, row=row, evaluations=kept), {part: why})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pair(inspected: InspectedRun) -> list[InspectedRun]:
    return [inspected, without(inspected, "circuits", "two", "the data have no masks")]


def test_a_run_without_a_part_says_so_in_its_place(pair: list[InspectedRun]) -> None:
    text = ReadPage(render_inspection(pair[1:], command="campaign inspect")).text
    assert text.count("two was not measured: the data have no masks.") == 1
    assert "The background circuit" not in text


@pytest.fixture(scope="module")
def browser_page(pair: list[InspectedRun], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path: Path = tmp_path_factory.mktemp("page") / "inspection.html"
    write_inspection(pair, command="campaign inspect one two", path=path)
    with open_browser() as page:
        messages: list[str] = []
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
        page.goto(path.as_uri())
        page.locator(".main-svg").first.wait_for(timeout=60_000)
        yield page
        assert [text for text in messages if "GL Driver Message" not in text] == []


def shown(page: Page, chooser: str) -> list[str | None]:
    parts = page.locator(f'[data-choice-of="{chooser}"]').all()
    return [part.get_attribute("data-value") for part in parts if part.is_visible()]


@NEEDS_BROWSER
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_page_in_a_browser(browser_page: Page, size: dict[str, int]) -> None:
    page = browser_page
    page.set_viewport_size(size)  # type: ignore[arg-type]
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == []
    assert page.locator(".figure").count() == page.locator(".figure:has(.main-svg)").count() > 0
    assert page.get_by_text("two was not measured: the data have no masks.").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    left, right = (page.locator('[data-choice-of="concept"] .cell').nth(n).bounding_box() for n in (0, 1))
    assert left
    assert right
    assert (left["y"] == right["y"]) == (size is DESKTOP)


@NEEDS_BROWSER
@pytest.mark.parametrize("chooser", ["pair", "concept"])
def test_keyboard_chooses_what_both_runs_show(browser_page: Page, chooser: str) -> None:
    page = browser_page
    assert shown(page, chooser) == ["0"]
    page.locator(f"#{chooser}").focus()
    page.keyboard.press("ArrowDown")
    assert shown(page, chooser) == ["1"]
    page.keyboard.press("ArrowUp")
    assert shown(page, chooser) == ["0"]
