"""What the command sees to before it runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fault_message import NoteMessage

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def ignored() -> Iterator[None]:
    """Ignore SIGINT, as what a script starts with `&` does."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def test_job_can_be_stopped_where_ray_was_started_in_the_background(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_JOB_STOP_SIGNAL", "SIGINT")
    assert cli("--help").code == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_command_in_the_background_ignores_ctrl_c(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_JOB_STOP_SIGNAL", raising=False)
    assert cli("--help").code == 0
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminal_without_unicode_shows_escapes(encoding: str) -> None:
    command = "import sys; from orchestrator.cli.app import main; sys.argv = ['campaign', *sys.argv[1:]]; main()"
    for arguments in (("sweep", "--help"), ("status", "caf\u00e9 \u4e2d", "--storage", "/absent")):
        ran = subprocess.run(
            [sys.executable, "-c", command, *arguments],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            check=False,
        )
        assert b"Traceback" not in ran.stderr
        assert ran.returncode == (0 if "--help" in arguments else 2)
    assert b"\\u4e2d" in ran.stderr


@pytest.mark.parametrize(
    ("output", "said"), [("gone", "before ray up: "), ("full", "error: standard output: [Errno 28] No space ")]
)
@pytest.mark.fault("The reader of the output has ended, or the output is full.", trains=False)
def test_output_that_cannot_be_written_is_one_line_at_most(output: str, said: str, note_message: NoteMessage) -> None:
    if output == "full":
        file = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, file = os.pipe()
        os.close(reader)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", "from orchestrator.cli.app import main; main()", "cluster", "check"]
    command.append(str(Path(__file__).parents[3] / "cluster.yaml"))
    ran = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(file)
    assert ran.returncode == 1
    *_, last = ran.stderr.splitlines()
    note_message([last] if output == "full" else [])  # To a reader that has ended, nothing is said.
    assert last.startswith(said)
