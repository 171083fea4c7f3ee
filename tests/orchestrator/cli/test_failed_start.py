"""A start that fails leaves a sweep as it was: no trials are added, no failures forgotten, no name taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.launch.search import TrialSampler, open_optuna_study
from orchestrator.tracking import connect, resolve_store
from search_spaces import find_space

Cli = Callable[..., Any]
SPACE = "digits-background-weight"
JOURNAL = "study.journal"
TINY = ("--set", "data.num_train=64", "--set", "data.num_test=10", "--set", "model.width=4")


@pytest.fixture
def no_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ray fail to start: the paths of its sockets get too long."""
    folder = tmp_path / "ray" / ("a" * 100)
    folder.mkdir(parents=True)
    monkeypatch.setenv("RAY_TMPDIR", str(folder))


@pytest.fixture
def first(make_sweep: Callable[..., Any]) -> Any:
    """A search of four trials, of which one has failed."""
    sweep = make_sweep(space=SPACE)
    TrialSampler(sweep.folder, sweep.config, find_space(SPACE))(open_optuna_study(sweep.folder, sweep.config).ask())
    sweep.folder.trial("0000").finish("OSError: full")
    return sweep.folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of all sweeps, but for locks and Optuna's journal, in which each opening leaves a line."""
    paths = [path for path in folder.glob("sweeps/**/*") if path.is_file() and path.name not in (".lock", JOURNAL)]
    return {str(path): path.read_bytes() for path in paths}


@pytest.mark.fault(
    "Ray does not start for `extend`, `resume --retry-failed`, `resume`, `sweep` and `study`, twice each."
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("extend", "first", "--trials", "2"),
        ("resume", "first", "--retry-failed"),
        ("resume", "first"),
        ("sweep", SPACE, "--name", "other", *TINY),
        ("study", "digits-shortcut", "--name", "other", "--seeds", "0", *TINY),
    ],
    ids=["extend", "retry", "resume", "sweep", "study"],
)
@pytest.mark.usefixtures("no_ray")
def test_sweep_stays_as_it_was_where_ray_does_not_start(
    arguments: tuple[str, ...],
    first: Any,
    cli: Cli,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    before = files_of(tmp_path)
    for _ in range(2):
        ran = cli(*arguments, "--storage", tmp_path)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.splitlines()[-1].startswith("error: Ray did not start on this machine")
        assert "Traceback" not in ran.err
        assert files_of(tmp_path) == before
    record_property("message", ran.err.splitlines()[-1])
    assert first.config().num_trials == 4


@pytest.mark.usefixtures("no_ray")
def test_promotion_takes_no_name_where_ray_does_not_start(
    make_sweep: Callable[..., Any], cli: Cli, tmp_path: Path
) -> None:
    make_sweep().complete("0000", {"val/accuracy": 0.5})
    ran = cli("promote", "first", "--scale", "digits-full", "--set", "resources.workers=0", "--storage", tmp_path)
    assert ran.code == 2
    assert "set RAY_TMPDIR to a shorter folder" in ran.err
    assert [path.name for path in (tmp_path / "sweeps").iterdir()] == ["first"]


@pytest.mark.fault("`config.yaml` of a trained trial is edited, then synced and resumed.")
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
def test_edited_config_of_a_trained_trial_is_refused_and_makes_no_second_run(
    make_sweep: Callable[..., Any], cli: Cli, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    sweep = make_sweep(num_trials=2)
    sweep.complete("0000", {"val/accuracy": 0.5})
    assert cli("sync", "first", "--storage", tmp_path).code == 0
    path = sweep.folder.trial("0000").config_path
    path.write_text(path.read_text(encoding="utf-8").replace("seed: 0", "seed: 1", 1), encoding="utf-8")
    for command in ("sync", "resume"):
        ran = cli(command, "first", "--storage", tmp_path)
        assert (ran.code, ran.out) == (2, "")
        (error,) = ran.err.splitlines()
        assert error.startswith(f"error: {path} was edited after training began: its config hash was ")
    record_property("message", error)
    client = connect(resolve_store(tmp_path))
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert sorted((run.data.tags["campaign.kind"], run.info.status) for run in runs) == [
        ("sweep", "KILLED"),
        ("trial", "FINISHED"),
    ]


def test_name_of_another_sweep_is_refused_before_ray_starts(
    make_sweep: Callable[..., Any], cli: Cli, tmp_path: Path
) -> None:
    make_sweep(space=SPACE).start("0000")
    ran = cli("sweep", SPACE, "--name", "first", *TINY, "--storage", tmp_path)
    assert ran.code == 2
    (error,) = ran.err.splitlines()
    assert error.startswith("error: there is a sweep 'first' already, with other ")
