"""docs/search.md: its space can be planned, and its tables name what is there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from orchestrator.cli import sweeps
from search_spaces import SamplerName

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "search.md").read_text(encoding="utf-8")
SAMPLERS = get_args(SamplerName)


def test_table_of_samplers_is_complete() -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == SAMPLERS


def test_command_line_takes_every_sampler() -> None:
    names, _ = get_args(get_args(sweeps.Sampler)[0])
    assert get_args(names) == SAMPLERS


def test_space_of_the_page_can_be_planned(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = re.findall(r"```yaml\n(# weight\.yaml\n.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("weight.yaml").write_text(text, encoding="utf-8")
    lines = cli("plan", "weight.yaml", "--no-measure", "--sampler", "gp").out.splitlines()
    assert lines[0].endswith("weight.yaml: 8 trials of 8 epochs")
    assert lines[1:3] == ["goals      val/accuracy (max)", "constraint val/loss <= 2"]
    assert "sampler    gp" in lines
    assert "points     the first 5 of 8, all valid:" in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--sampler", "grid"),
            "space weight: sampler grid tries every combination, but optim.learning_rate, ",
        ),
        (("--constraint", "val/accuracy > 1"), "--constraint: found 'val/accuracy > 1'; expected a metric, >= or <="),
        (
            ("--constraint", "val/acuracy >= 1"),
            "constraint val/acuracy >= 1: the metric val/acuracy is reported by no trial, or",
        ),
        (("--sampler", "cmaes"), "space weight: sampler cmaes compares trials by the goal alone, but there are constr"),
    ],
)
def test_option_that_does_not_fit_is_refused_in_one_line(
    cli: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (text,) = re.findall(r"```yaml\n(# weight\.yaml\n.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "weight.yaml"
    path.write_text(text, encoding="utf-8")
    ran = cli("sweep", path, *arguments, "--storage", tmp_path / "storage")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err
    assert not (tmp_path / "storage").exists()
