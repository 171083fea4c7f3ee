"""MLflow's page as `campaign ui` serves it, in a real browser."""

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from orchestrator.files.sweep_ids import SweepIds
from orchestrator.tracking import find_sweep
from tests.browser import NEEDS_BROWSER, open_browser

Story = Any  # the fixture's class lives in conftest.py, which tests cannot import
PATIENCE_MS = 120_000

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    NEEDS_BROWSER,
]


@pytest.fixture(scope="module")
def site(story: Story) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = story.shell.start("ui", "--port", str(port))
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not answers(address):
        assert server.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.5)
    yield address
    server.terminate()
    server.communicate(timeout=60)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_browser() as page:
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield page


@pytest.fixture(scope="module")
def ids(story: Story) -> SweepIds:
    return find_sweep(story.shell.store, "digits-background-weight", "story")


def test_experiment_lists_the_sweep_and_its_trials(site: str, page: Page, ids: SweepIds) -> None:
    page.goto(f"{site}/#/experiments/{ids.experiment_id}/runs")
    expect(page.get_by_text("story", exact=True).first).to_be_visible()


def test_run_shows_metric_charts(site: str, page: Page, ids: SweepIds) -> None:
    page.goto(f"{site}/#/experiments/{ids.experiment_id}/runs/{ids.trials['0000']}/model-metrics")
    expect(page.get_by_text("val/background").first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()


def test_trial_shows_its_cam_panels(site: str, page: Page, ids: SweepIds) -> None:
    page.goto(f"{site}/#/experiments/{ids.experiment_id}/runs/{ids.trials['0000']}/artifacts")
    expect(page.get_by_text("images", exact=True).first).to_be_visible()


def test_parent_shows_the_panels_of_the_best(site: str, page: Page, ids: SweepIds) -> None:
    page.goto(f"{site}/#/experiments/{ids.experiment_id}/runs/{ids.parent_run_id}/artifacts/panels.png")
    image = page.locator("img[src^='blob:'], .image-outer-container img, canvas").first
    expect(image).to_be_visible()
