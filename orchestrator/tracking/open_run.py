"""Finds an MLflow run by its tags, or creates it."""

from collections.abc import Mapping
from typing import Any

from orchestrator.files.provenance import CREATED
from orchestrator.tracking.run_request import RunRequest
from orchestrator.tracking.run_writer import LAST_OF_ROW, RunWriter, steps
from orchestrator.tracking.store import StoreError


def find_run(client: Any, experiment_id: str, key: Mapping[str, str]) -> Any | None:
    """Return the experiment's run that the tags `key` identify, or None; of several, delete all others.

    A server that creates a run after its client has given up may have been asked twice. The run with the most epochs
    stays, of equal ones the oldest.
    """
    found = client.search_runs([experiment_id], condition(key), order_by=["attributes.start_time ASC"])
    kept = max(found, key=lambda run: run.data.metrics.get(LAST_OF_ROW, 0), default=None)
    if CREATED in key:  # Without it the same name may stand for sweeps of several folders.
        for run in found:
            if run is not kept:
                client.delete_run(run.info.run_id)
    return kept


def open_run(
    client: Any,
    experiment_id: str,
    request: RunRequest,
    *,
    key: Mapping[str, str],
    tags: Mapping[str, str],
    provenance: Mapping[str, str],
    name: str,
    start_ms: int,
) -> RunWriter:
    """Find the run that the tags `key` identify, or create it; `key` and `tags` end up on it.

    Only a new run gets `provenance`: a command that resumes or syncs a run has not made it.

    Raises:
        StoreError: An earlier request to create the run has no answer yet.
    """
    found = find_run(client, experiment_id, key)
    if found is not None:
        request.answered()
    elif request.is_pending:
        raise StoreError(f"MLflow has not answered yet whether it created the run of {request.folder}")
    else:
        with request.sending():
            tags_of_new = {**provenance, **tags, **key}
            run = client.create_run(experiment_id, start_time=start_ms, tags=tags_of_new, run_name=name)
    writer = _writer(client, found or run, is_new=found is None)
    writer.send_tags({**tags, **key})
    return writer


def _writer(client: Any, run: Any, *, is_new: bool) -> RunWriter:
    """Return a writer that knows what the run holds."""
    return RunWriter(
        client=client,
        run_id=run.info.run_id,
        status=run.info.status,
        is_new=is_new,
        tags=dict(run.data.tags),
        params=set(run.data.params),
        epochs=steps(client, run.info.run_id, LAST_OF_ROW) if LAST_OF_ROW in run.data.metrics else set(),
        data_digests={entry.dataset.digest for entry in run.inputs.dataset_inputs} if run.inputs else set(),
    )


def tag_run(client: Any, run_id: str, key: str, value: str) -> None:
    """Set a tag of another run; one that MLflow no longer has, or has in its trash, is left alone."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return
    if run.info.lifecycle_stage == "active" and run.data.tags.get(key) != value:
        client.set_tag(run_id, key, value)


def condition(key: Mapping[str, str]) -> str:
    """Return the filter of MLflow's language for runs that have all tags of `key`."""
    return " and ".join(f"tags.`{name}` = {_quoted(value)}" for name, value in key.items())


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"
