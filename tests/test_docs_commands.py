"""The commands that README and docs show: what they name is there, and what they set can be set."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.files.space_sweep import sweep_of_space
from orchestrator.files.study import read_study
from orchestrator.files.study_sweep import sweep_of_study
from orchestrator.launch.preflight import check_points
from search_spaces import find_base
from trainables.config import experiment_from_tree, override, parse_assignments

REPOSITORY = Path(__file__).resolve().parents[1]
ADDS_WHAT_IT_NAMES = "contributing.md"
"""Its commands run in test_seams."""
PAGES = [
    REPOSITORY / "README.md",
    *(page for page in sorted((REPOSITORY / "docs").glob("*.md")) if page.name != ADDS_WHAT_IT_NAMES),
]
COMMAND = re.compile(r"^\s*(?:campaign |\$ campaign )(train|sweep|plan|study) ([^#\n]*)", re.MULTILINE)
COMMANDS = [(page.name, *found) for page in PAGES for found in COMMAND.findall(page.read_text(encoding="utf-8"))]
HAS_ITS_OWN_FILE = re.compile(r"\.(yaml|py)$|^[A-Z]|\.\.\.")
"""What a reader writes first, or a place to be filled in."""
FILE = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = [found for page in PAGES for found in FILE.findall(page.read_text(encoding="utf-8"))]
"""Files that a page shows: name and text."""
SHIPPED = [command for command in COMMANDS if not HAS_ITS_OWN_FILE.search(command[2].split()[0])]


def assignments_of(words: list[str]) -> list[str]:
    return [after for word, after in pairwise(words) if word == "--set"]


@pytest.fixture
def _files_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files that the pages show, as the current one."""
    for name, text in FILES:
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_files_shown")
@pytest.mark.parametrize(("page", "command", "arguments"), SHIPPED)
def test_command_can_be_given(page: str, command: str, arguments: str) -> None:
    name, *words = shlex.split(arguments)
    assignments = assignments_of(words)
    if command == "train":
        experiment_from_tree(override(find_base(name), parse_assignments(assignments)), source=page)
    elif command == "study":
        sweep_of_study(read_study(name), assignments=assignments)
    else:
        check_points(sweep_of_space(name, assignments=assignments, asha="--asha" in words or None))


def test_there_are_commands_of_every_kind() -> None:
    assert {command for _, command, _ in SHIPPED} == {"train", "sweep", "plan", "study"}
