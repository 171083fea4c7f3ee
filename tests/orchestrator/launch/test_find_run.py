"""What a user may call a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.launch.find_run import find_run, run_name
from orchestrator.tracking import resolve_store
from trainables.config import ConfigError, ExperimentConfig
from trainables.trial_folder import TrialFolder


@pytest.fixture
def find(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: find_run(name, tmp_path, resolve_store(tmp_path)).path


def test_trial_is_found_by_its_sweep_and_by_its_folder(
    make_sweep: Callable[..., Any], find: Callable[[str], Path]
) -> None:
    sweep = make_sweep()
    sweep.start("0001")
    path = sweep.folder.trial("0001").path
    assert find("first/0001") == find(str(path)) == path


def test_run_of_train_is_found_by_its_name(find: Callable[[str], Path], tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / "runs" / "one")
    folder.claim(ExperimentConfig())
    assert find("one") == folder.path


def test_sweep_means_its_best_trial(make_sweep: Callable[..., Any], find: Callable[[str], Path]) -> None:
    sweep = make_sweep()
    sweep.start("0000", epochs=1)
    with pytest.raises(ConfigError, match="no trial of sweep first has completed"):
        find("first")
    sweep.complete("0001", {"val/accuracy": 0.5})
    sweep.complete("0002", {"val/accuracy": 0.75})
    assert find("first") == sweep.folder.trial("0002").path


def test_the_name_of_a_run_finds_it_again(
    make_sweep: Callable[..., Any], find: Callable[[str], Path], tmp_path: Path
) -> None:
    sweep = make_sweep()
    sweep.start("0001")
    places = {"first/0001": sweep.folder.trial("0001").path, "one": tmp_path / "runs" / "one"}
    places[str(tmp_path / "else" / "where")] = tmp_path / "else" / "where"
    for name, path in places.items():
        TrialFolder(path).claim(sweep.config.experiment())
        assert run_name(TrialFolder(path), tmp_path) == name
        assert find(name) == path


@pytest.mark.parametrize("name", ["absent", "first/0009", "absent/0000", "0" * 32, "/absent"])
def test_what_means_no_run_is_refused(name: str, make_sweep: Callable[..., Any], find: Callable[[str], Path]) -> None:
    make_sweep().start("0000")
    with pytest.raises(ConfigError, match=f"no run '{name}'"):
        find(name)
