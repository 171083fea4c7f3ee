"""docs/studies.md: the study it shows can run, and the table names what ships."""

import re
from pathlib import Path

import pytest

import search_spaces
from orchestrator.files.study import Study, candidates_of, read_study
from orchestrator.files.study_sweep import sweep_of_study

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "studies.md").read_text(encoding="utf-8")
SHIPPED = {path.stem for path in (Path(search_spaces.__file__).parent / "studies").rglob("*.yaml")}


STUDY, TUNING = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_study_that_is_shown_can_run(tmp_path: Path) -> None:
    assert sweep_of_study(written(tmp_path, STUDY)).num_trials == 9


def test_tuning_that_is_shown_can_run(tmp_path: Path) -> None:
    tuned = written(tmp_path, STUDY + TUNING.replace("val/worst_group_accuracy ", "val/accuracy "))
    assert sweep_of_study(candidates_of(tuned)).num_trials == 6
    assert sweep_of_study(tuned).num_trials == 9


def written(folder: Path, text: str) -> Study:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return read_study(str(path))


def test_every_shipped_study_has_a_row() -> None:
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", TEXT, re.MULTILINE)) == SHIPPED


@pytest.mark.parametrize("name", sorted(set(re.findall(r"^campaign study ([a-z0-9-]+)(?= |$)", TEXT, re.MULTILINE))))
def test_study_that_a_command_names_is_there(name: str) -> None:
    assert name in SHIPPED
