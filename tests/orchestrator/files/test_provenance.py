"""What a run says about the code, the machine and the command that made it."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.files.provenance import collect_provenance, read_provenance, record_provenance


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(folder), *settings, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("old = 1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_clean_checkout_has_a_commit_and_no_diff(checkout: Path) -> None:
    provenance = collect_provenance(checkout=checkout)
    assert provenance.tags["mlflow.source.git.commit"] == git(checkout, "rev-parse", "HEAD")
    assert provenance.tags["campaign.git_dirty"] == "false"
    assert provenance.diff == ""


def test_changes_are_kept_and_new_files_are_named(checkout: Path) -> None:
    (checkout / "code.py").write_text("new = 2\n")
    (checkout / "more.py").write_text("secret\n")
    provenance = collect_provenance(checkout=checkout)
    assert provenance.tags["campaign.git_dirty"] == "true"
    assert "-old = 1\n+new = 2\n" in provenance.diff
    assert provenance.diff.startswith("# untracked: more.py\n")
    assert "secret" not in provenance.diff


def test_huge_diff_is_cut(checkout: Path) -> None:
    (checkout / "code.py").write_text("x = 1\n" * 100_000)
    diff = collect_provenance(checkout=checkout).diff
    assert len(diff.encode()) < 200_100
    assert diff.splitlines()[-1].startswith("# cut here: ")


def test_package_inside_someone_elses_repository_reports_no_commit(checkout: Path) -> None:
    inside = checkout / ".venv"
    inside.mkdir()
    provenance = collect_provenance(checkout=inside)
    assert "mlflow.source.git.commit" not in provenance.tags
    assert provenance.diff == ""


def test_no_git_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "mlflow.source.git.commit" not in collect_provenance(checkout=tmp_path).tags


def test_command_versions_and_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["campaign", "sweep", "two words"])
    tags = collect_provenance(checkout=tmp_path).tags
    assert tags["campaign.command"] == "campaign sweep 'two words'"
    assert tags["campaign.version.mlflow"] == importlib.metadata.version("mlflow")
    assert tags["campaign.version.campaign"] == importlib.metadata.version("campaign")
    assert int(tags["campaign.hardware.cores"]) >= 1
    assert float(tags["campaign.hardware.memory_gib"]) > 0
    assert tags["campaign.hardware.cpu"]


def test_password_on_the_command_line_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["campaign", "sync", "first", "--tracking-uri=http://me:secret@host:5000"])
    tags = collect_provenance(checkout=tmp_path).tags
    assert tags["campaign.command"] == "campaign sync first --tracking-uri=http://me:***@host:5000"


def test_folder_keeps_the_provenance_of_the_first_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_provenance(tmp_path).created is None
    monkeypatch.setattr(sys, "argv", ["campaign", "sweep"])
    first = record_provenance(tmp_path)
    monkeypatch.setattr(sys, "argv", ["campaign", "resume"])
    assert record_provenance(tmp_path) == read_provenance(tmp_path) == first
    assert first.tags["campaign.command"] == "campaign sweep"
    assert first.created
