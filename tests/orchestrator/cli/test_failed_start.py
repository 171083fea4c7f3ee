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
def no_ray(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ray fail to start: the paths of its sockets get too long."""
    folder = tmp_path_factory.mktemp("ray") / ("a" * 100)
    folder.mkdir(parents=True)
    monkeypatch.setenv("RAY_TMPDIR", str(folder))


@pytest.fixture
def first(make_sweep: Callable[..., Any]) -> Any:
    """A search of four trials, of which one has failed."""
    sweep = make_sweep(space=SPACE)
    TrialSampler(sweep.folder, sweep.config, find_space(SPACE))(open_optuna_study(sweep.folder, sweep.config).ask())
    sweep.folder.trial("0000").finish("OSError: full")
    return sweep.folder


def contents(storage: Path) -> dict[str, bytes]:
    """Return folders and files, but for locks and Optuna's journal, in which each opening leaves a line."""
    paths = [path for path in storage.rglob("*") if path.name not in (".lock", JOURNAL)]
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in paths}


@pytest.mark.fault("Ray does not start for a command that trains, twice.", trains=False)
@pytest.mark.parametrize(
    "arguments",
    [
        ("extend", "first", "--trials", "2"),
        ("resume", "first", "--retry-failed"),
        ("resume", "first"),
        ("sweep", SPACE, "--name", "other", *TINY),
        ("study", "digits-shortcut", "--name", "other", "--seeds", "0", *TINY),
        ("promote", "first", "--trial", "0000", "--scale", "digits-full", "--set", "resources.workers=0"),
        ("train", "digits", "--name", "other", *TINY, "--set", "resources.workers=1"),
    ],
    ids=["extend", "retry", "resume", "sweep", "study", "promote", "train"],
)
@pytest.mark.usefixtures("no_ray")
def test_sweep_stays_as_it_was_where_ray_does_not_start(
    arguments: tuple[str, ...],
    first: Any,
    cli: Cli,
    tmp_path: Path,
) -> None:
    before = contents(tmp_path)
    for _ in range(2):
        ran = cli(*arguments, "--storage", tmp_path)
        assert (ran.code, ran.out) == (2, "")
        error = ran.err.splitlines()[-1]
        assert error.startswith("error: Ray did not start on this machine")
        assert error.endswith("set RAY_TMPDIR to a shorter folder, such as /tmp")
        assert "Traceback" not in ran.err
        assert contents(tmp_path) == before
    assert first.config().num_trials == 4


@pytest.mark.fault("`config.yaml` of a trained trial is edited, then synced and resumed.", trains=False)
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
def test_edited_config_of_a_trained_trial_is_refused_and_makes_no_second_run(
    make_sweep: Callable[..., Any], cli: Cli, tmp_path: Path
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
