"""What `campaign train` refuses before it trains."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
ADDRESS = "127.0.0.1:1"


@pytest.mark.parametrize("named_by", ["--address", "RAY_ADDRESS"])
def test_cluster_is_not_named_for_a_run_without_workers(
    named_by: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named_by == "RAY_ADDRESS":
        monkeypatch.setenv("RAY_ADDRESS", ADDRESS)
    option = ("--address", ADDRESS) if named_by == "--address" else ()
    ran = cli("train", "digits", "--storage", tmp_path, *option)
    assert ran.code == 2
    assert f"resources.workers = 0 trains in this process, and not on the cluster at {ADDRESS}: " in ran.err
    assert "--set resources.workers=1 trains there" in ran.err
    assert list(tmp_path.iterdir()) == []
