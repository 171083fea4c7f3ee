"""The import contracts of pyproject.toml: each finds what it forbids. No files import each other in a circle."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "search_spaces", "trainables")
CONTRACTS = [
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
]

# For each contract: a file, made if it is not there, and a line added to it that breaks this contract and no other.
PLANTED = [
    ("Packages: the upper may import the lower", "trainables/trial.py", "import orchestrator.files.names"),
    ("Packages: the upper may import the lower", "search_spaces/space.py", "import orchestrator.files.names"),
    (
        "Packages: the upper may import the lower",
        "trainables/trial.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import orchestrator.files.names",
    ),
    (
        "orchestrator: from the commands down to the files",
        "orchestrator/results/__init__.py",
        "import orchestrator.cli",
    ),
    ("orchestrator: from the commands down to the files", "orchestrator/loose.py", ""),
    (
        "orchestrator: only drawing and commands read results",
        "orchestrator/data/index.py",
        "import orchestrator.results",
    ),
    ("orchestrator: results draw nothing", "orchestrator/results/__init__.py", "def draw():\n    import plotly.io"),
    (
        "orchestrator: only tracking imports MLflow",
        "orchestrator/launch/__init__.py",
        "from mlflow import MlflowClient",
    ),
    ("orchestrator: only the commands import Typer", "orchestrator/launch/__init__.py", "import typer"),
    ("search_spaces: only configs of trainables", "search_spaces/space.py", "from trainables.training import fit"),
    ("trainables: from the worker down to the config", "trainables/evaluations/base.py", "import trainables.losses"),
    ("trainables: from the worker down to the config", "trainables/loose.py", ""),
    (
        "trainables: no tracking, no search, no command line; Ray in the worker alone",
        "trainables/trial.py",
        "from ray.train import report",
    ),
    (
        "trainables: only the trial and its training know the trial's folder",
        "trainables/models/build.py",
        "import trainables.trial_folder",
    ),
    ("trainables: maps and drawings are made from tensors", "trainables/cams/hirescam.py", "import trainables.config"),
    (
        "trainables: classifiers need neither maps nor drawings",
        "trainables/classifiers/build.py",
        "from trainables import cams",
    ),
    (
        "trainables: losses see a batch and an output, not how they are made",
        "trainables/losses/build.py",
        "from trainables.data import build_data",
    ),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of the packages and their contracts."""
    folder = tmp_path_factory.mktemp("packages")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def planted(copy: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return the copy with a text added to a file of it, until the test ends."""
    name, text = request.param
    file = copy / name
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.write_text(f"{before or ''}\n{text}\n", encoding="utf-8")
    yield copy
    if before is None:
        file.unlink()
    else:
        file.write_text(before, encoding="utf-8")


def broken_contracts(folder: Path) -> set[str]:
    """Return the names of the contracts that `lint-imports` finds broken in `folder`."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    found = dict(re.findall(r"^(.+) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE))
    assert found.keys() == set(CONTRACTS), done.stdout + done.stderr
    return {name for name, status in found.items() if status == "BROKEN"}


def test_every_contract_is_kept(copy: Path) -> None:
    assert broken_contracts(copy) == set()


@pytest.mark.parametrize(
    ("contract", "planted"), [(contract, (file, text)) for contract, file, text in PLANTED], indirect=["planted"]
)
def test_planted_import_breaks_its_contract_alone(contract: str, planted: Path) -> None:
    assert broken_contracts(planted) == {contract}


def test_every_contract_is_shown_to_break() -> None:
    assert {contract for contract, _, _ in PLANTED} == set(CONTRACTS)


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules in which each reaches every other by imports."""
    reached = {name: reachable(name, imports) for name in imports}
    groups = {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in imports}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def reachable(start: str, imports: Mapping[str, set[str]]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        new = imports[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_files_import_each_other_in_no_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    assert circles({name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}) == []


def test_circles_are_found() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"e", "a"}, "e": {"f"}, "f": {"d"}, "g": {"a"}}
    assert circles(imports) == [["b", "c"], ["d", "e", "f"]]
