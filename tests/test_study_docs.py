"""docs/studies.md: the study it shows can run, and the table names what ships."""

import re
from pathlib import Path

import pytest

import search_spaces
from orchestrator.files.study import read_study
from orchestrator.files.study_sweep import sweep_of_study

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "studies.md").read_text(encoding="utf-8")
SHIPPED = {path.stem for path in (Path(search_spaces.__file__).parent / "studies").rglob("*.yaml")}


def test_study_that_is_shown_can_run(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert sweep_of_study(read_study(str(path))).num_trials == 9


def test_every_shipped_study_has_a_row() -> None:
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", TEXT, re.MULTILINE)) == SHIPPED


@pytest.mark.parametrize("name", sorted(set(re.findall(r"^campaign study ([a-z0-9-]+)(?= |$)", TEXT, re.MULTILINE))))
def test_study_that_a_command_names_is_there(name: str) -> None:
    assert name in SHIPPED
