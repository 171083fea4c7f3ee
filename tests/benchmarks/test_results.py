"""docs/results.md, made from stored results of today and of the earlier protocol."""

import sys
from pathlib import Path

import pytest

from benchmarks import results
from tests.benchmarks.test_study_section import result

ROOT = Path(__file__).resolve().parents[2]
MADE = {"version.torch": "2.0", "hardware.cpu": "a processor"}
NOW, BEFORE = ({"made": MADE, **result(split, mean)} for split, mean in (("test", 0.25), ("val", 0.75)))


def test_page_is_what_the_files_say() -> None:
    assert (ROOT / "docs" / "results.md").read_text() == results.page(), "run python -m benchmarks.results page"


def test_every_earlier_section_says_so_in_its_first_line() -> None:
    title, first, *_ = results.section("study", BEFORE, before=BEFORE, remarks=[]).split("\n\n")
    assert title == "## Study pair"
    assert first.startswith("**Earlier protocol:** one held-out set")


def test_section_of_today_says_what_changed_then_remarks_and_machine() -> None:
    text = results.section("study", NOW, before=BEFORE, remarks=["It wins because of the masks.\n"])
    assert "Earlier protocol:" not in text
    *_, changed, remark, made = text.split("\n\n")
    assert changed.endswith("0.750 then, 0.250 now.")
    assert remark == "It wins because of the masks."
    assert made == "Made with torch 2.0. Machine: cpu a processor."
    assert "0.750 then" not in results.section("study", NOW, before=None, remarks=[])


def test_result_of_today_takes_the_place_of_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(results, "EARLIER_RESULTS", tmp_path / "earlier")
    (tmp_path / "earlier").mkdir()
    results.write("study-pair", BEFORE)
    (tmp_path / "study-pair.json").rename(tmp_path / "earlier" / "study-pair.json")
    (tmp_path / "earlier" / "study-pair.md").write_text("A remark of then.")
    (tmp_path / "study-pair.md").write_text("A remark on any.")
    text = results.page()
    assert "Earlier protocol:" in text
    assert "A remark on any.\n\nA remark of then." in text
    results.write("study-pair", NOW)
    text = results.page()
    assert "Earlier protocol:" not in text
    assert "A remark on any." in text
    assert "A remark of then." not in text


def test_metrics_of_earlier_versions_are_read(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"metric": "background/rfs", "metrics": {"background/rfs": 0.5}}')
    read = results.read(tmp_path / "old.json")
    assert read == {"metric": "val/background/rfs", "metrics": {"val/background/rfs": 0.5}}


def test_evaluation_needs_two_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["results", "evaluation", "one"])
    with pytest.raises(SystemExit, match="2"):
        results.parse()
    assert "RUN" in capsys.readouterr().err.splitlines()[-1]


def test_seeds_are_three_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["results", "study", "digits-shortcut"])
    assert results.parse().seeds == (0, 1, 2)
    monkeypatch.setattr(sys, "argv", ["results", "study", "digits-shortcut", "--seeds", "4,7"])
    assert results.parse().seeds == (4, 7)


def test_a_study_may_be_run_again_with_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    of_study = ["results", "study", "digits-shortcut", "--as", "weak", "--set", "seed=3"]
    monkeypatch.setattr(sys, "argv", [*of_study, "--arms", "noise,edits", "--reference", "edits"])
    found = results.parse()
    assert (found.name, found.title, found.arms, found.reference, found.settings) == (
        "digits-shortcut",
        "weak",
        "noise,edits",
        "edits",
        ["seed=3"],
    )
