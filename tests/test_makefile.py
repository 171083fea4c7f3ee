"""What the targets of the Makefile install and run, as `make --dry-run` prints it."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CPU")
"""What `make test` hands on to a `make` within it."""
RUNTIME, DEV = "--editable .", "--editable '.[dev]'"


def commands(*arguments: str) -> list[str]:
    """Return what `make` would run if pyproject.toml had just changed."""
    command = ["make", "--dry-run", "--what-if=pyproject.toml", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in INHERITED}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def installs(*arguments: str) -> list[str]:
    """Return what pip would install, without what is common to all calls."""
    found = [line for line in commands(*arguments) if "pip install" in line]
    assert all("--constraint constraints.txt" in line for line in found)
    return [line.partition("constraints.txt ")[2] for line in found]


@pytest.mark.parametrize("target", ["setup", "demo"])
def test_a_user_installs_no_developers_tools(target: str) -> None:
    assert installs(target) == [RUNTIME]


@pytest.mark.parametrize("target", ["test", "check", "format"])
def test_developers_tools_come_with_their_targets(target: str) -> None:
    assert installs(target) == [RUNTIME, DEV]


def test_torch_without_cuda_comes_first_and_from_its_own_index() -> None:
    torch = "--no-deps --index-url https://download.pytorch.org/whl/cpu torch torchvision"
    assert installs("setup", "CPU=1") == [torch, RUNTIME]


def test_demo_sweeps_promotes_evaluates_and_reports() -> None:
    found = [line.split()[1:3] for line in commands("demo") if line.startswith(".venv/bin/campaign")]
    assert found == [
        ["sweep", "digits-background-weight"],
        ["promote", "demo"],
        ["evaluate", "demo-digits-full"],
        ["report", "demo"],
    ]
