"""A lock that is held by one process, and may be asked for by any number."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.files.lock import is_locked, locked
from trainables.config import ConfigError

ASKS = """
import pathlib, sys
from orchestrator.files.lock import is_locked
print("asks", flush=True)
while True:
    is_locked(pathlib.Path(sys.argv[1]))
"""


@pytest.mark.fault(
    "Another process asks without pause whether a sweep runs, while drivers start.", trains=False, says=False
)
def test_those_who_ask_whether_it_is_held_refuse_nobody(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with locked(path, "it"):
        pass
    asking = subprocess.Popen([sys.executable, "-c", ASKS, str(path)], stdout=subprocess.PIPE, text=True)
    assert asking.stdout is not None
    assert asking.stdout.readline() == "asks\n"
    try:
        for _ in range(300):
            with locked(path, "it"):
                assert is_locked(path)
    finally:
        asking.kill()
        asking.communicate()


def test_holder_refuses_a_second_one_at_once(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with locked(path, "sweep first"):
        with (
            pytest.raises(ConfigError, match="sweep first is being run by another process"),
            locked(path, "sweep first"),
        ):
            pass
        assert is_locked(path)
    assert not is_locked(path)
