"""Every benchmark runs and leaves whole rows, and the page shows what the rows hold."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["cli_start", "head_step", "loader_throughput", "objective_step", "recipe_step"]
"""Those that take seconds; the others run minutes of sweeps and are run by `make bench` alone."""
TEXTS = {"benchmark", "figure", "unit", "about", "command", "date", "hardware", "versions"}
ROW = {
    **dict.fromkeys(TEXTS, "text"),
    "benchmark": "two_words",
    "figure": "a start",
    "unit": "s",
    "value": 0.30,
    "against": "the bare one",
    "counterpart": 0.20,
    "ratio": 1.5,
}


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{script}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_quick_run_leaves_whole_rows(script: str, tmp_path: Path) -> None:
    done = run(script, "--quick", "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    text = (tmp_path / f"{script}.jsonl").read_text()
    assert done.stdout == text
    for row in map(json.loads, text.splitlines()):
        assert row.keys() == ROW.keys()
        assert row["benchmark"] == script
        assert all(isinstance(row[key], str) and row[key] for key in TEXTS)
        assert isinstance(row["value"], float)
        if row["counterpart"] is None:
            assert row["ratio"] is row["against"] is None
        else:
            assert row["ratio"] == row["value"] / row["counterpart"]


def test_page_shows_figure_counterpart_and_ratio(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "figure": "a part", "value": 1234.5, "against": None, "counterpart": None, "ratio": None}]
    (tmp_path / "two_words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("render", "--results", str(tmp_path), "--page", str(tmp_path / "page.md"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.md").read_text()
    assert "## Two words" in page
    assert "| a start | 0.3 s | 0.2 s (the bare one) | 1.50 |" in page
    assert "| a part | 1234 s | | |" in page


def test_page_without_rows_is_an_error(tmp_path: Path) -> None:
    done = run("render", "--results", str(tmp_path), "--page", str(tmp_path / "page.md"))
    assert done.returncode == 1
    assert f"{tmp_path} holds no rows" in done.stderr
