"""The command line, run inside the test's process, and which tests share a process of pytest-xdist."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "trainables", "search_spaces")


class OneProcessAFile(LoadScopeScheduling):
    """Keeps the tests of a file together, and all integration tests: they share sweeps that take minutes."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/integration" if file.startswith("tests/integration/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneProcessAFile:
    # By this and not by `--dist loadgroup`, which has no effect from pytest 9.2 on.
    return OneProcessAFile(config, log)


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def real_images_root() -> str:
    """The folder of real images."""
    root = REPOSITORY / os.environ.get("CAMPAIGN_DATA", "../shared/data")
    if not (root / "oxford-iiit-pet").is_dir():
        pytest.skip(f"no images in {root}; set CAMPAIGN_DATA")
    return str(root.resolve())


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
