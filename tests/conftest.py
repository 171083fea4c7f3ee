"""The command line, run inside the test's process, and which tests share a process of pytest-xdist."""

import logging
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.harness.counted_epochs import CountEpochs, count_epochs
from tests.harness.fault_message import NoteMessage, note_message, warnings_in

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "trainables", "search_spaces")


OWN_PROCESS = (
    "test_nodes",
    "test_study",
    "test_serving",
    "test_halving",
    "test_signals",
    "test_chaos",
    "test_samplers",
    "test_kept_epochs",
    "test_constraint",
)
"""Files of tests/integration that share nothing with the others, whose sweeps take minutes."""
MAX_CPU_S = 10.0
"""What a test may take that is not marked `slow`. Time of CPU, since a busy machine makes wall time longer."""


class OneProcessAFile(LoadScopeScheduling):
    """Keeps the tests of a file together, and those of the integration tests that share a sweep."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        shares = file.startswith("tests/integration/") and not Path(file).stem.endswith(OWN_PROCESS)
        return "tests/integration" if shares else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneProcessAFile:
    # By this and not by `--dist loadgroup`, which has no effect from pytest 9.2 on.
    return OneProcessAFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the integration tests first, so that none of them is left for one process alone at the end.

    The fault that a test injects becomes one of its properties, for the report of `make chaos`.
    """
    order = {"tests/integration/test_nodes.py": 0}
    for item in items:
        for marker in item.iter_markers("fault"):
            item.user_properties += fault_properties(*marker.args, **marker.kwargs)
    items.sort(key=lambda item: order.get(file := item.nodeid.partition("::")[0], 1 + ("integration" not in file)))


def fault_properties(what: str, *, trains: bool = True, says: bool = True) -> list[tuple[str, object]]:
    """Return the properties that a test marked `fault` has before it runs; "-" is what it does not measure."""
    numbers = [] if trains else [("epochs_lost", "-"), ("duplicates", "-")]
    return [("fault", what), *numbers, *([] if says else [("message", "-")])]


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


@contextmanager
def quick_unless_slow(item: pytest.Item) -> Iterator[None]:
    """Fail a test that is not marked `slow` and is."""
    before = cpu_seconds()
    yield
    spent = cpu_seconds() - before
    if spent > MAX_CPU_S and item.get_closest_marker("slow") is None:
        pytest.fail(f"took {spent:.0f} s of CPU: mark it slow, or make it faster (docs/contributing.md)", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with quick_unless_slow(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with quick_unless_slow(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    note_message(item, warnings_in(report.sections))
    report.user_properties = list(item.user_properties)
    return report


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


@pytest.fixture(name="count_epochs")
def bound_count_epochs(request: pytest.FixtureRequest) -> CountEpochs:
    """Return `count_epochs` for the test that asks for it."""
    return partial(count_epochs, request.node)


@pytest.fixture(name="note_message")
def bound_note_message(request: pytest.FixtureRequest) -> NoteMessage:
    """Return `note_message` for the test that asks for it."""
    return partial(note_message, request.node)


@pytest.fixture
def cli(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ran]]:
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
        if code:
            note_message(request.node, err.splitlines())
        return Ran(code, out, err)

    levels = {name: logging.getLogger(name).level for name in PACKAGES}
    yield run
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
