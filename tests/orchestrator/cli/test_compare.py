"""`campaign compare`: what it writes, prints and refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def storage(make_sweep: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A storage with two trials, of which the second is the better; the current folder is empty and another."""
    sweep = make_sweep()
    sweep.complete("0000", {"val/accuracy": 0.5}, {"objective.kind": "cross_entropy"})
    sweep.complete("0001", {"val/accuracy": 0.75})
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return tmp_path


def test_page_is_written_in_the_current_folder(cli: Cli, storage: Path) -> None:
    ran = cli("compare", "first/0000", "first", "--storage", storage)
    assert (ran.code, ran.out) == (0, "comparison.html\n")
    assert "campaign evaluate first/0000 first/0001 --suite full" in ran.err
    page = Path("comparison.html").read_text(encoding="utf-8")
    assert "first/0000 and first/0001" in page
    assert "campaign compare first/0000 first --storage" in page


def test_json_is_all_of_standard_output(cli: Cli, storage: Path, tmp_path: Path) -> None:
    output = tmp_path / "deep" / "page.html"
    ran = cli("compare", "first/0000", "first/0001", "--storage", storage, "--output", output, "--json")
    document = json.loads(ran.out, parse_constant=pytest.fail)
    assert document["runs"] == [
        {"run": "first/0000", "metrics": {"val/accuracy": 0.5}},
        {"run": "first/0001", "metrics": {"val/accuracy": 0.75}},
    ]
    (difference,) = document["differences"]
    assert (difference["run"], difference["against"], difference["difference"]) == ("first/0001", "first/0000", 0.25)
    assert (document["warnings"], document["page"]) == ([], str(output))
    assert output.exists()


def test_a_run_may_be_named_by_its_folder(cli: Cli, storage: Path) -> None:
    folder = storage / "sweeps" / "first" / "trials" / "0001"
    ran = cli("compare", "first/0000", folder, "--storage", storage, "--json")
    assert [run["run"] for run in json.loads(ran.out)["runs"]] == ["first/0000", "first/0001"]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (("first/0000", "absent"), "error: no run 'absent'"),
        (("first/0001", "first"), "error: a run is given twice: first/0001, first mean only first/0001"),
    ],
)
def test_users_error_is_one_clear_line(runs: tuple[str, ...], message: str, cli: Cli, storage: Path) -> None:
    ran = cli("compare", *runs, "--storage", storage)
    assert (ran.code, ran.out) == (2, "")
    (error,) = ran.err.splitlines()
    assert error.startswith(message)
    assert not Path("comparison.html").exists()


def test_one_run_is_a_usage_error(cli: Cli, storage: Path) -> None:
    assert cli("compare", "first", "--storage", storage).code == 2
