"""README and docs name what is there: paths, modules, functions, layers, imports and links."""

import ast
import re
import tomllib
from itertools import pairwise, product
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))}
DIAGRAM = PAGES["architecture.md"].split("```mermaid")[1].split("```")[0]
HELPERS = {"atomic_file", "json_file", "metric_names", "out_of_memory", "standard_error"}
"""Layers of small helpers, which the diagram leaves out."""
FOLDERS = ("benchmarks", "docs", "orchestrator", "search_spaces", "tests", "trainables")

PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})(?:/[\w.*-]+)*/?)`")
MODULE = re.compile(rf"`((?:{'|'.join(FOLDERS)})(?:\.\w+)+)`")
NAME_IN_FILE = re.compile(r"`(\w+)(?:\.\w+)?(?:\(\))?`\s+in\s+`([\w/]+\.py)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def missing_paths(text: str) -> list[str]:
    """Return the paths and modules that a page names and the repository does not have, less those it says to make."""
    made = re.findall(r"Make `(.+?)`:", text)
    paths = PATH.findall(text) + [module.replace(".", "/") for module in MODULE.findall(text)]
    return [path for path in paths if path not in made and not is_there(path)]


def is_there(path: str) -> bool:
    return any(ROOT.glob(path.rstrip("/"))) or (ROOT / f"{path}.py").is_file()


def missing_names(text: str) -> list[str]:
    """Return the names that a page says a file defines, and it does not."""
    return [f"{name} in {path}" for name, path in NAME_IN_FILE.findall(text) if not defines(ROOT / path, name)]


def defines(path: Path, name: str) -> bool:
    pattern = rf"^\s*(?:def|class) {name}\b|^\s*{name}\b.* = |^\s*{name}: "
    return path.is_file() and bool(re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE))


def broken_links(text: str, page: str) -> list[str]:
    """Return the links of a page to files or headings that are not there."""
    folder = ROOT if page == "README.md" else DOCS
    return [
        f"{file}#{anchor}"
        for file, anchor in LINK.findall(text)
        if not (folder / file).exists() or (anchor and anchor not in anchors(folder / (file or page)))
    ]


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_page_names_what_is_there(page: str) -> None:
    text = PAGES[page]
    assert missing_paths(text) == []
    assert missing_names(text) == []
    assert broken_links(text, page) == []


def test_pages_name_paths_and_functions() -> None:
    assert len(PATH.findall(PAGES["architecture.md"])) > 20
    assert len(NAME_IN_FILE.findall(PAGES["architecture.md"])) > 10


def test_every_layer_is_in_the_diagram() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = {
        name for contract in contracts for layer in contract.get("layers", ()) for name in re.findall(r"\w+", layer)
    }
    assert layers - set(re.findall(r"\w+", DIAGRAM)) - HELPERS == set()


def arrows(diagram: str) -> set[tuple[str, str]]:
    """Return the arrows of a mermaid flowchart, by the names of the nodes and not by their labels."""
    lines = re.sub(r"\[.*?\]", "", diagram).splitlines()
    chains = [[set(re.findall(r"\w+", group)) for group in line.split("-->")] for line in lines]
    return {
        (start, end) for chain in chains for starts, ends in pairwise(chain) for start, end in product(starts, ends)
    }


def reachable(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the pairs of which the second is reached from the first, in one step or several."""
    further = {(start, end) for start, middle in pairs for other, end in pairs if middle == other}
    return pairs if further <= pairs else reachable(pairs | further)


def imports_within(package: str) -> set[tuple[str, str]]:
    """Return the pairs of layers of a package of which the first imports the second."""
    found = set()
    for file in (ROOT / package).glob("*/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
                found.add((file.relative_to(ROOT / package).parts[0], str(node.module).split(".")[1]))
    return {(start, end) for start, end in found if start != end}


def test_imports_run_down_the_arrows() -> None:
    imports = imports_within("orchestrator")
    assert len(imports) > 20
    assert imports - reachable(arrows(DIAGRAM)) == set()


def test_every_arrow_is_an_import() -> None:
    imports = imports_within("orchestrator")
    layers = {layer for pair in imports for layer in pair}
    assert {pair for pair in arrows(DIAGRAM) if layers.issuperset(pair)} - imports == set()


def test_a_missing_arrow_is_found() -> None:
    without = arrows(DIAGRAM) - {("reports", "results")}
    assert ("reports", "results") in arrows(DIAGRAM)
    assert ("reports", "results") in imports_within("orchestrator") - reachable(without)


def test_arrows_are_read_from_chains_and_groups() -> None:
    diagram = 'flowchart TD\n  subgraph x\n    a["a: b --> c"] --> b["b"] & c\n    b & c --> d --> e\n  end'
    assert arrows(diagram) == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "e")}
    assert reachable({("a", "b"), ("b", "c"), ("c", "d")}) - {("a", "b"), ("b", "c"), ("c", "d")} == {
        ("a", "c"),
        ("b", "d"),
        ("a", "d"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`trainables/losses` and `tests/test_architecture_docs.py`, `search_spaces/bases/*.yaml`", []),
        ("`trainables/losses.py`", ["trainables/losses.py"]),
        ("`orchestrator/nowhere`", ["orchestrator/nowhere"]),
        ("`trainables.config` and `trainables.config.data`", []),
        ("`trainables.nowhere`", ["trainables/nowhere"]),
        ("`evaluation/rows.json`", []),
        ("1. Make `trainables/losses/none.py`:", []),
    ],
)
def test_missing_paths_are_found(text: str, expected: list[str]) -> None:
    assert missing_paths(text) == expected


def test_missing_names_are_found() -> None:
    assert missing_names("`fit` in `trainables/training/loop.py`") == []
    assert missing_names("`fit_nothing` in `trainables/training/loop.py`") == [
        "fit_nothing in trainables/training/loop.py"
    ]
    assert missing_names("`TrialRun.push()` in `orchestrator/tracking/trial_run.py`") == []


def test_broken_links_are_found() -> None:
    page = "architecture.md"
    assert broken_links("[a](data.md) [b](#layers) [c](studies.md#the-file)", page) == broken_links("", page)
    assert broken_links("[a](nowhere.md) [b](#no-such-heading)", page) == ["nowhere.md#", "#no-such-heading"]
