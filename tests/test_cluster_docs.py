"""docs/cluster.md: the checks that it shows pass, its links lead to files, and its commands agree.

Its cluster files are checked with the shipped one, in tests/orchestrator/cluster_file.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", re.findall(r"^campaign (cluster check[^#&\n]*)", TEXT, re.MULTILINE))
def test_check_that_is_shown_passes(command: str, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert cli(*shlex.split(command)).code == 0


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", TEXT))))
def test_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / "docs" / link).is_file()


def test_commands_by_hand_start_ray_as_the_file_does() -> None:
    (block,) = re.findall(r"^```\n(# on the head\n.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    flags = re.findall(r"ray start (--head.*)", block)[0].split(" --")
    for flag in flags[1:]:
        assert TEXT.count(f"--{flag}") > 1, flag
