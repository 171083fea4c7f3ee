"""Which runs belong to a sweep and to a folder."""

from pathlib import Path

import pytest

from orchestrator.reports.evaluation_charts import charts_page
from orchestrator.tracking import RunIdentity, Store, TrialRun, find_identity, find_sweep
from trainables.trial_folder import TrialFolder

# MLflow's mappers use a loader strategy that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


def make_run(store: Store, experiment_id: str, folder: Path, created: str) -> str | None:
    identity = RunIdentity(experiment_id, "first", "0000", "abc", created=created)
    return TrialRun(store, identity, TrialFolder(folder), draw_curves=charts_page).run_id


def test_folder_in_a_path_with_a_quote_is_found(store: Store, experiment_id: str, tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    make_run(store, experiment_id, folder, "2030")
    found = find_identity(store, folder)
    assert found is not None
    assert (found.trial_id, found.created) == ("0000", "2030")


def test_sweep_and_folder_made_anew_mean_the_latest_runs(store: Store, experiment_id: str, tmp_path: Path) -> None:
    old, new = (make_run(store, experiment_id, tmp_path, created) for created in ("2030", "2031"))
    name = _name(store, experiment_id)
    assert find_sweep(store, name, "first", created="2030").trials == {"0000": old}
    assert find_sweep(store, name, "first", created="2031").trials == {"0000": new}
    found = find_identity(store, tmp_path)
    assert found is not None
    assert found.created == "2031"


def _name(store: Store, experiment_id: str) -> str:
    from orchestrator.tracking import connect

    return str(connect(store).get_experiment(experiment_id).name)
