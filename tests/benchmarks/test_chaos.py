"""What `make chaos` writes of the faults that tests inject."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.chaos import BEGIN, END, Injected, read_report, table, write_table

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import logging
import pytest

@pytest.mark.fault("a flipped bit")
def test_is_seen(record_property):
    record_property("epochs_lost", 0)
    record_property("message", "a|b")

@pytest.mark.fault("a full disk")
def test_fails():
    logging.getLogger("campaign").warning("no room in /tmp/pytest-of-me/pytest-7/it0/a")
    assert False

@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.fault("a kill", says=False)
def test_trains_an_epoch_twice(count_epochs, times):
    count_epochs({"0000": [1, 2]}, 2)
    count_epochs({"0000": [1] * times, "0001": [1, 2]}, 2)

@pytest.mark.fault("a config", trains=False)
def test_refuses(note_message):
    note_message(["first", "error: job raysubmit_Ab1", ""])

@pytest.mark.fault("a missing server")
def test_skips():
    pytest.skip("none here")

def test_other():
    pass
"""


def test_report_of_a_run_becomes_the_table(tmp_path: Path) -> None:
    (tmp_path / "test_them.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    report = tmp_path / "report.xml"
    options = ["-p", "no:cacheprovider", f"--rootdir={tmp_path}", f"--junitxml={report}", "-o", "junit_family=xunit1"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, tmp_path],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout
    injected = read_report(report)
    assert injected == [
        Injected("a full disk", "test_them.py::test_fails", survived=False, message="no room in …/a"),
        Injected("a flipped bit", "test_them.py::test_is_seen", survived=True, epochs_lost="0", message="a|b"),
        Injected("a config", "test_them.py::test_refuses", True, "-", "-", "error: job …"),
        Injected("a kill", "test_them.py::test_trains_an_epoch_twice", False, "1", "1", "-"),
    ]
    assert [each.is_measured for each in injected] == [False, False, True, True]
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n{BEGIN}old\n{END}After.\n")
    write_table(injected, page)
    assert page.read_text() == f"Before.\n{BEGIN}{table(injected)}{END}After.\n"
    assert table(injected).splitlines()[2:] == [
        "| a full disk | **no** |  |  | `no room in …/a` | `test_them.py::test_fails` |",
        "| a flipped bit | yes | 0 |  | `a\\|b` | `test_them.py::test_is_seen` |",
        "| a config | yes | - | - | `error: job …` | `test_them.py::test_refuses` |",
        "| a kill | **no** | 1 | 1 | - | `test_them.py::test_trains_an_epoch_twice` |",
    ]
