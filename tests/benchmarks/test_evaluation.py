"""The section of docs/results.md on the whole suite, from figures worked out by hand."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.evaluation import section, training_command
from orchestrator.files.provenance import record_provenance

SHARE = "val/background/influence_share"


def difference(metric: str, better: str | None, value: float, paired: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"metric": metric, "better": better, "difference": value, "paired": paired}


RESULT: dict[str, Any] = {
    "commands": ["campaign sweep pets", "campaign evaluate pets/0000 --suite full"],
    "labels": ["cross-entropy", "contrastive, background weight 1"],
    "runs": [
        {"run": "pets/0000", "metrics": {SHARE: 0.75, "shift/far/confidence": 0.5, "val/loss": 1.0}},
        {"run": "pets/0001", "metrics": {SHARE: 0.25, "shift/far/confidence": 0.75, "val/accuracy": 0.5}},
    ],
    "differences": [
        difference(SHARE, "min", -0.5, {"mean": -0.5, "low": -0.625, "high": -0.375, "num_pictures": 40}),
        difference("shift/far/confidence", None, 0.25),
    ],
    "warnings": ["seed is 0 in one and 1 in the other."],
    "num_pictures": [{"accuracy": 900, "influence": 200, "shift": {"far": 900}}, {"influence": 200}],
    "seconds": [{"influence": 30.0, "shift": 60.0}, {"influence": 120.0, "shift": None}],
}


def test_section_shows_commands_metrics_and_warnings() -> None:
    lines = section(RESULT).splitlines()
    assert lines[2:6] == ["```", *RESULT["commands"], "```"]
    assert lines[7].startswith("Most evaluations look at 200 images. All of one run took 1.5 and 2.0 minutes.")
    assert RESULT["warnings"][0] in lines
    share = f"| `{SHARE}` ↓ | 0.750 | 0.250 | −0.500 | −0.500 (−0.625 to −0.375) | 40 |"  # noqa: RUF001
    assert lines.count(share) == 2
    assert "| `shift/far/confidence` | 0.500 | 0.750 | +0.250 |  |  |" in lines
    assert "<details><summary>Shift, 1 metric</summary>" in lines
    assert not any("val/accuracy" in line for line in lines)


def test_arrows_are_those_of_today_and_not_of_the_stored_file() -> None:
    influence = "val/background/background_influence"
    runs = [{"run": name, "metrics": {influence: 2.0}} for name in ("a", "b")]
    stored = {**RESULT, "runs": runs, "differences": [difference(influence, "min", 0.0)]}
    assert any(line.startswith(f"| `{influence}` | 2.000 ") for line in section(stored).splitlines())


def test_every_row_has_the_cells_of_its_head() -> None:
    rows = [line for line in section(RESULT).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {7}


@pytest.mark.parametrize(
    ("data_root", "expected"),
    [
        ("images", "campaign train pets --set data.root=images --set seed=1"),
        ("elsewhere", "campaign train pets --set data.root={here}/images --set seed=1"),
        (None, "campaign train pets --set data.root={here}/images --set seed=1"),
    ],
)
def test_training_command_names_the_data_as_the_caller_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_root: str | None, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/bin/campaign", *f"train pets --set data.root={tmp_path}/images".split()])
    sys.argv += ["--set", "seed=1"]
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    record_provenance(folder)
    assert training_command(folder, data_root) == expected.format(here=tmp_path)


def test_result_is_plain_json() -> None:
    assert section(json.loads(json.dumps(RESULT))) == section(RESULT)
