"""What cannot work is refused before it leaves anything behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.preflight import check_sweep
from orchestrator.tracking import Store, resolve_store
from trainables.config import ConfigError, ExperimentConfig, experiment_from_tree

SPACE = """
from search_spaces import Goal, Space

def suggest(trial):
    trial.suggest_float("optim.learning_rate", 0.1, 0.2)
    {suggest}

SPACE = Space(name="mine", summary="-", base="digits", suggest=suggest, goals=(Goal("val/accuracy", "max"),),
              num_trials=2, first_points=({first},))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return resolve_store(tmp_path)


@pytest.mark.parametrize(
    ("suggest", "first", "message"),
    [
        ("", '{"optim.learning_rate": -1.0}', r"optim\.learning_rate: found -1"),
        ("trial.suggest_int('optim.rate', 1, 2)", "{}", r"optim\.rate: unknown field"),
        (
            "",
            '{"optim.learning_rte": 0.1}',
            r"first_points\[0\] sets optim\.learning_rte, which suggest does not ask for",
        ),
        ("raise SystemExit(3)", "{}", r"mine\.py, line 6\): suggest failed with SystemExit: 3"),
        ("1 / 0", "{}", r"space mine \(.*/mine\.py, line 6\): suggest failed with ZeroDivisionError: division by zero"),
    ],
)
@pytest.mark.filterwarnings("ignore:Fixed parameter")
def test_points_that_are_no_configs_are_refused(
    suggest: str, first: str, message: str, make_sweep: Callable[..., Any], store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SPACE.format(suggest=suggest, first=first), encoding="utf-8")
    sweep = make_sweep(space=str(path))
    with pytest.raises(ConfigError, match=message):
        check_sweep(sweep.folder, sweep.config, store)


@pytest.mark.filterwarnings("ignore:Fixed parameter")
def test_points_that_do_not_fit_the_network_are_refused_before_a_sweep_begins(
    make_sweep: Callable[..., Any], store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    suggest = "trial.suggest_int('training.freeze.stages', 1, 6)"
    path.write_text(SPACE.format(suggest=suggest, first='{"training.freeze.stages": 6}'), encoding="utf-8")
    sweep = make_sweep(space=str(path))
    with pytest.raises(ConfigError, match=r"^training\.freeze\.stages = 6 is more than the 5 stages of model\.kind"):
        check_sweep(sweep.folder, sweep.config, store)


def test_fixed_list_without_its_trials_is_refused(make_sweep: Callable[..., Any], store: Store) -> None:
    sweep = make_sweep(num_trials=2)
    sweep.start("0000")
    with pytest.raises(ConfigError, match=r"first is a fixed list of 2 trials, and .*/trials holds 1: promote"):
        check_sweep(sweep.folder, sweep.config, store)
    check_sweep(sweep.folder, sweep.config, store, trials=[ExperimentConfig(), ExperimentConfig()])


def test_what_fits_is_accepted_and_makes_nothing(make_sweep: Callable[..., Any], store: Store, tmp_path: Path) -> None:
    sweep = make_sweep(space="digits-background-weight")
    check_sweep(SweepFolder.of(tmp_path, "other"), sweep.config, store)
    assert not (tmp_path / "sweeps" / "other").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["sweeps"]


def test_missing_weights_are_refused_before_a_sweep_begins_and_not_after(
    make_sweep: Callable[..., Any], store: Store, tmp_path: Path
) -> None:
    weights = {"kind": "resnet18", "cam_stride": 16, "weights": "DEFAULT", "weights_file": str(tmp_path / "w.pth")}
    trial = experiment_from_tree({"model": weights})
    sweep = make_sweep(num_trials=1)
    with pytest.raises(ConfigError, match=r"/w\.pth cannot be read: No such file"):
        check_sweep(sweep.folder, sweep.config, store, trials=[trial])
    sweep.start("0000")
    check_sweep(sweep.folder, sweep.config, store, trials=[trial])


def test_stages_that_a_network_lacks_are_refused_before_a_sweep_begins(
    make_sweep: Callable[..., Any], store: Store
) -> None:
    five, six = (experiment_from_tree({"training": {"freeze": {"stages": number}}}) for number in (5, 6))
    sweep = make_sweep(num_trials=1)
    with pytest.raises(ConfigError, match=r"^training\.freeze\.stages = 6 is more than the 5 stages of model\.kind"):
        check_sweep(sweep.folder, sweep.config, store, trials=[six])
    check_sweep(sweep.folder, sweep.config, store, trials=[five])
