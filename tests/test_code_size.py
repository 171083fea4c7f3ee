"""Functions and files of the packages are short."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "search_spaces", "trainables")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAX_MEDIAN_LINES = 9
MAX_FUNCTION_LINES = 40
MAX_FILE_LINES = 300


def function_lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield each function's name and its number of lines, docstring included and decorators not."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.fixture(scope="module")
def functions() -> list[tuple[str, int]]:
    return [
        (f"{path.relative_to(ROOT)}: {name}", lines)
        for path in FILES
        for name, lines in function_lines(path.read_text(encoding="utf-8"))
    ]


def test_no_function_is_long(functions: list[tuple[str, int]]) -> None:
    assert [(name, lines) for name, lines in functions if lines > MAX_FUNCTION_LINES] == []


def test_half_the_functions_are_short(functions: list[tuple[str, int]]) -> None:
    assert statistics.median(lines for _, lines in functions) <= MAX_MEDIAN_LINES


def test_no_file_is_long() -> None:
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > MAX_FILE_LINES} == {}


def test_lines_of_functions_are_counted() -> None:
    text = '@decorated\ndef a():\n    """Text."""\n    return 1\n\n\nclass C:\n    async def b(self): ...\n'
    assert list(function_lines(text)) == [("a", 3), ("b", 1)]
