"""Which runs belong to a sweep and to a folder."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.files.sweep_ids import SweepIds
from orchestrator.reports.evaluation_charts import charts_page
from orchestrator.tracking import (
    RunIdentity,
    Store,
    StoreError,
    SweepIdentity,
    TrialRun,
    connect,
    find_experiment,
    find_sweep,
    open_sweep_run,
    sqlite_runs,
)
from trainables.trial_folder import TrialFolder

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


def make_run(store: Store, experiment_id: str, folder: Path, created: str) -> str | None:
    identity = RunIdentity(experiment_id, "first", "0000", "abc", created=created)
    return TrialRun(store, identity, TrialFolder(folder), draw_curves=charts_page).run_id


def test_sweep_made_anew_means_its_own_runs(store: Store, experiment_id: str, tmp_path: Path) -> None:
    old, new = (make_run(store, experiment_id, tmp_path, created) for created in ("2030", "2031"))
    name = _name(store, experiment_id)
    assert find_sweep(store, name, "first", created="2030").trials == {"0000": old}
    assert find_sweep(store, name, "first", created="2031").trials == {"0000": new}


def test_experiment_of_a_run_is_found_by_its_name(store: Store, experiment_id: str, tmp_path: Path) -> None:
    identity = RunIdentity(experiment_id, "it's", "it's", "abc", created="2030")
    assert TrialRun(store, identity, TrialFolder(tmp_path), draw_curves=charts_page).run_id
    assert find_experiment(store, "it's", "2030") == experiment_id
    with pytest.raises(StoreError, match=r"has no run it's, .*: repeat its `campaign train` command"):
        find_experiment(store, "it's", "2031")


@pytest.fixture
def sweep_ids(store: Store, experiment_id: str, tmp_path: Path) -> SweepIds:
    """A parent run and two of its trials in MLflow, next to a deleted run and those of other sweeps."""
    (tmp_path / "sweep.yaml").write_text("")
    sweep = SweepIdentity(experiment_id, "it's", created="2030")
    parent = open_sweep_run(store, sweep, tmp_path)
    trials = {}
    for identity in (sweep, replace(sweep, created="2031"), replace(sweep, sweep="its")):
        for trial_id in ("0000", "0001", "0002"):
            run = TrialRun(store, identity.trial(trial_id, "abc"), TrialFolder(tmp_path), draw_curves=charts_page)
            if identity == sweep and run.run_id:
                trials[trial_id] = run.run_id
    connect(store).delete_run(trials.pop("0002"))
    return SweepIds(experiment_id, parent, trials)


def test_sqlite_file_holds_the_runs_that_mlflows_client_finds(
    store: Store, experiment_id: str, sweep_ids: SweepIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, through_client = _name(store, experiment_id), Store(store.tracking_uri.replace("sqlite:", "sqlite+pysqlite:"))
    assert through_client.sqlite_file is None
    assert find_sweep(store, name, "it's", created="2030") == sweep_ids
    assert find_sweep(through_client, name, "it's", created="2030") == sweep_ids
    assert find_sweep(store, "another", "it's") == find_sweep(through_client, "another", "it's") == SweepIds()
    monkeypatch.setattr(sqlite_runs, "TAGS", "SELECT run_id FROM another_version_of_mlflow WHERE id = ?")
    assert find_sweep(store, name, "it's", created="2030") == sweep_ids


def test_sqlite_file_is_read_without_mlflow(store: Store, experiment_id: str, sweep_ids: SweepIds) -> None:
    program = (
        "import sys; from pathlib import Path; from orchestrator.tracking import Store, find_sweep; "
        f"print(find_sweep(Store({store.tracking_uri!r}), {_name(store, experiment_id)!r}, \"it's\", created='2030')); "
        "print('mlflow' in sys.modules, 'sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{sweep_ids}\nFalse False\n"


def _name(store: Store, experiment_id: str) -> str:
    return str(connect(store).get_experiment(experiment_id).name)
