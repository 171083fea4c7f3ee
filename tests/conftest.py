"""The command line, run inside the test's process, and which tests share a process of pytest-xdist."""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ("orchestrator", "trainables", "search_spaces")


@pytest.hookimpl(tryfirst=True)  # Before the plugin reads the marker.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests of one file together, and all integration tests: they share sweeps that take minutes."""
    for item in items:
        group = "integration" if "integration" in Path(item.path).parts else item.path
        item.add_marker(pytest.mark.xdist_group(str(group)))


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """Return a function that runs `campaign ARGUMENTS...` through its entry point."""
    from orchestrator.cli.app import main

    for name in ("CAMPAIGN_STORAGE", "CAMPAIGN_TRACKING_URI", "MLFLOW_TRACKING_URI", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: Any) -> Ran:
        monkeypatch.setattr(sys, "argv", ["campaign", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    levels = {name: logging.getLogger(name).level for name in PACKAGES}
    yield run
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
