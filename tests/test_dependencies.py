"""What the packages import is what pyproject.toml declares, and constraints.txt pins it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "search_spaces", "trainables")
OWN = {*PACKAGES, "benchmarks", "tests"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def imported(text: str) -> set[str]:
    """Return the top-level modules that a source file imports from outside the standard library and the repository."""
    modules = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules.add(str(node.module))
    return {module.partition(".")[0] for module in modules} - OWN - sys.stdlib_module_names


def imports_of(folder: str) -> set[str]:
    """Return what the Python files of a folder import."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py")]
    return set().union(*map(imported, texts))


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


@cache
def installed() -> Mapping[str, list[str]]:
    """Return module -> the distributions that install it, which takes a second to find out."""
    return packages_distributions()


def distributions(module: str) -> set[str]:
    """Return the distributions that install a module of this name."""
    return {canonicalize_name(name) for name in installed().get(module, ())}


def undeclared(modules: Iterable[str], declared: set[str]) -> list[str]:
    return sorted(module for module in modules if not distributions(module) & declared)


RUNTIME = names(PROJECT["dependencies"])
DEV = names(PROJECT["optional-dependencies"]["dev"])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_is_declared(package: str) -> None:
    assert undeclared(imports_of(package), RUNTIME) == []


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_every_import_of_tests_and_benchmarks_is_declared(folder: str) -> None:
    assert undeclared(imports_of(folder), RUNTIME | DEV) == []


def test_every_runtime_dependency_is_imported() -> None:
    """But cmaes, which Optuna imports as `CmaEsSampler` draws."""
    found = {name for package in PACKAGES for module in imports_of(package) for name in distributions(module)}
    assert sorted(RUNTIME - found) == ["cmaes"]


def test_no_dependency_is_declared_twice() -> None:
    assert sorted(RUNTIME & DEV) == []


def test_import_is_found_wherever_it_stands_and_missed_where_undeclared() -> None:
    text = (
        "import os, json.decoder\nimport yaml.nodes\nfrom . import one\ndef late() -> None:\n    from rich import box\n"
    )
    assert imported(text) == {"yaml", "rich"}
    assert undeclared({"yaml", "rich"}, {"pyyaml"}) == ["rich"]


def pins() -> dict[str, Requirement]:
    """Return the requirement that constraints.txt holds for each distribution."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def test_every_declared_dependency_is_pinned_within_its_bounds() -> None:
    found = pins()
    for line in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]):
        (pin,) = found[canonicalize_name(Requirement(line).name)].specifier
        assert pin.operator == "=="
        assert Requirement(line).specifier.contains(pin.version), line


@pytest.mark.parametrize("name", ["torch", "torchvision"])
def test_build_without_cuda_meets_the_pin_and_the_dependency(name: str) -> None:
    (pin,) = pins()[name].specifier
    (declared,) = (Requirement(line) for line in PROJECT["dependencies"] if re.match(rf"{name}\b", line))
    build = f"{pin.version}+cpu"
    assert pin.contains(build)
    assert declared.specifier.contains(build)
