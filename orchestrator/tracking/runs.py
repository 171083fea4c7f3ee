"""Finds the MLflow runs of a sweep or a folder, and the folder of a run."""

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.files.provenance import CREATED, read_provenance
from orchestrator.files.sweep_ids import SweepIds
from orchestrator.tracking.open_run import condition
from orchestrator.tracking.sqlite_runs import Tags, read_runs
from orchestrator.tracking.store import Store, StoreError, connect, store_errors

if TYPE_CHECKING:
    from orchestrator.files.sweep_folder import SweepFolder

logger = logging.getLogger(__name__)

PAGE = 1000


def find_sweep(store: Store, experiment: str, sweep: str, *, created: str | None = None) -> SweepIds:
    """Return the ids of a sweep in the experiment of that name.

    Args:
        created: When the sweep's folder was made; None also finds runs of other sweeps of that name.

    Raises:
        StoreError: MLflow does not answer.
    """
    if store.sqlite_file and not store.sqlite_file.exists():
        return SweepIds()
    with store_errors(store):
        experiment_id, runs = _runs_with(store, experiment, _of_sweep(sweep, created))
    ids = SweepIds(experiment_id)
    for run_id, tags in runs:
        if tags.get("campaign.kind") == "sweep":
            ids = replace(ids, parent_run_id=run_id)
        else:
            ids.trials[tags["campaign.trial_id"]] = run_id
    return ids


def ids_in_mlflow(store: Store, sweep: "SweepFolder") -> SweepIds:
    """Return the sweep's ids; none, with a warning, while MLflow does not answer."""
    config = sweep.config()
    try:
        return find_sweep(store, config.campaign, config.name, created=read_provenance(sweep.path).created)
    except StoreError as error:
        logger.warning("sweep %s is shown without its MLflow runs: %s", config.name, error)
        return SweepIds()


def trials_left_open(store: Store, sweep: "SweepFolder") -> list[str]:
    """Return the trials whose MLflow runs have not ended; none while MLflow does not answer."""
    config, created = sweep.config(), read_provenance(sweep.path).created
    trials = condition(_of_sweep(config.name, created) | {"campaign.kind": "trial"})
    try:
        with store_errors(store):
            client = connect(store)
            experiment = client.get_experiment_by_name(config.campaign)
            query = f"{trials} and attributes.status = 'RUNNING'"
            runs = list(_search(client, experiment.experiment_id, query)) if experiment else []
    except StoreError as error:
        logger.debug("no run of sweep %s is closed: %s", config.name, error)
        return []
    return [run.data.tags["campaign.trial_id"] for run in runs]


def _of_sweep(name: str, created: str | None) -> Tags:
    """Return the tags of all runs of a sweep; without the time of its folder, of all sweeps of that name."""
    return {"campaign.sweep": name} | ({CREATED: created} if created else {})


def folder_of_run(store: Store, storage: Path, run_id: str) -> Path | None:
    """Return the trial folder of an MLflow run, or None if MLflow has no such run, or no folder is that run's.

    A folder in `storage` comes before the path from which the run was last sent: the storage may have been moved.
    """
    from mlflow.exceptions import MlflowException

    if store.sqlite_file and not store.sqlite_file.exists():
        return None
    with store_errors(store):
        try:
            tags = connect(store).get_run(run_id).data.tags
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
    sweep, trial_id = tags.get("campaign.sweep", ""), tags.get("campaign.trial_id", "")
    here = [storage / "sweeps" / sweep / "trials" / trial_id, storage / "runs" / trial_id]
    places = [*here, Path(tags.get("campaign.directory", ""))]
    return next((place.absolute() for place in places if _is_folder_of(place, tags)), None)


def _is_folder_of(place: Path, tags: Mapping[str, str]) -> bool:
    """Return whether the trial's folder is there, and is not one that was made later under the same name."""
    if not (place / "config.yaml").is_file():
        return False
    made = place.parents[1] if place.parent.name == "trials" else place
    return tags.get(CREATED) in {None, read_provenance(made).created}


def find_experiment(store: Store, run: str, created: str | None) -> str:
    """Return the id of the experiment that has a run of `campaign train`; StoreError if none has.

    Args:
        run: The name of the run's folder.
        created: When the folder was made; None where it does not say so.
    """
    key = {"campaign.sweep": run, "campaign.trial_id": run} | ({CREATED: created} if created else {})
    with store_errors(store):
        client = connect(store)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = client.search_runs(experiments, condition(key), max_results=1)
    if not runs:
        raise StoreError(
            f"MLflow store {store} has no run {run}, and the run's folder names no experiment: repeat its "
            "`campaign train` command, which sends it"
        )
    return str(runs[0].info.experiment_id)


def _runs_with(store: Store, experiment: str, tags: Tags) -> tuple[str | None, list[tuple[str, Tags]]]:
    """Return the experiment's id, and id and tags of its runs that have `tags`, the oldest first."""
    if store.sqlite_file:
        try:
            return read_runs(store.sqlite_file, experiment, tags)
        except sqlite3.OperationalError as error:
            logger.debug("%s is not read directly: %s", store, error)
    client = connect(store)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return None, []
    runs = _search(client, found.experiment_id, condition(tags))
    return found.experiment_id, [(run.info.run_id, run.data.tags) for run in runs]


def _search(client: Any, experiment_id: str, query: str) -> Iterator[Any]:
    """Yield the runs that `query` finds, the oldest first."""
    token = None
    while True:
        page = client.search_runs(
            [experiment_id],
            query,
            max_results=PAGE,
            page_token=token,
            order_by=["attributes.start_time ASC"],
        )
        yield from page
        token = page.token
        if not token:
            return
