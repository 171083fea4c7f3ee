"""Finds the MLflow runs of a sweep or a folder, and the folder of a run."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.files.provenance import read_provenance
from orchestrator.files.sweep_ids import SweepIds
from orchestrator.tracking.run_writer import quoted
from orchestrator.tracking.store import Store, StoreError, connect, store_errors
from orchestrator.tracking.trial_run import RunIdentity

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
        client = connect(store)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return SweepIds()
        parent, trials = None, {}
        for run in _runs_of(client, found.experiment_id, sweep, created):
            if run.data.tags.get("campaign.kind") == "sweep":
                parent = run.info.run_id
            else:
                trials[run.data.tags["campaign.trial_id"]] = run.info.run_id
        return SweepIds(found.experiment_id, parent, trials)


def ids_in_mlflow(store: Store, sweep: "SweepFolder") -> SweepIds:
    """Return the sweep's ids; none, with a warning, while MLflow does not answer."""
    config = sweep.config()
    try:
        return find_sweep(store, config.campaign, config.name, created=read_provenance(sweep.path).created)
    except StoreError as error:
        logger.warning("sweep %s is shown without its MLflow runs: %s", config.name, error)
        return SweepIds()


def folder_of_run(store: Store, run_id: str) -> Path | None:
    """Return the trial folder of an MLflow run, or None if there is no such run or campaign did not make it."""
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
    return Path(tags["campaign.directory"]) if "campaign.directory" in tags else None


def find_identity(store: Store, folder: Path) -> RunIdentity | None:
    """Return the identity of the latest run of the trial folder, or None if MLflow has no such run."""
    if store.sqlite_file and not store.sqlite_file.exists():
        return None
    with store_errors(store):
        client = connect(store)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        condition = f"tags.`campaign.directory` = {quoted(str(folder.absolute()))}"
        runs = client.search_runs(experiments, condition, max_results=1, order_by=["attributes.start_time DESC"])
    if not runs:
        return None
    tags = runs[0].data.tags
    return RunIdentity(
        experiment_id=runs[0].info.experiment_id,
        sweep=tags["campaign.sweep"],
        trial_id=tags["campaign.trial_id"],
        config_hash=tags["campaign.config_hash"],
        scale=tags.get("campaign.scale"),
        parent_run_id=tags.get("mlflow.parentRunId"),
        promoted_from=tags.get("campaign.promoted_from"),
        created=tags.get("campaign.created"),
    )


def _runs_of(client: Any, experiment_id: str, sweep: str, created: str | None) -> Iterator[Any]:
    """Yield the sweep's runs, the oldest first."""
    condition = f"tags.`campaign.sweep` = {quoted(sweep)}"
    if created:
        condition += f" and tags.`campaign.created` = {quoted(created)}"
    token = None
    while True:
        page = client.search_runs(
            [experiment_id],
            condition,
            max_results=PAGE,
            page_token=token,
            order_by=["attributes.start_time ASC"],
        )
        yield from page
        token = page.token
        if not token:
            return
