"""A trial's network as an MLflow model, and the best one registered under the alias `champion`."""

import copy
import importlib.metadata
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.files.trial_record import TrialRecord, read_params, read_record
from orchestrator.tracking.run_writer import safe_name
from orchestrator.tracking.store import Store, StoreError, connect, store_errors
from trainables.trial_folder import TrialFolder

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)

CHAMPION = "champion"
MODEL_NAME = "model"
REQUIREMENTS = ("torch", "torchvision", "campaign")


def log_model(store: Store, run_id: str, folder: TrialFolder, model: "nn.Module") -> str | None:
    """Log the network as the run's model, with the run's last metrics tied to it; return its model id.

    The folder says which epoch the weights are from; push it first, so that its metrics are there to tie. A second
    call for the same epoch returns the model that is there. The network is pickled on the CPU in eval mode:
    loading needs its class, which is why `campaign` is among the model's requirements. Classes of a user's file are
    pickled too.

    While MLflow does not answer, the result is None and a warning says so; the weights stay in the checkpoint.
    """
    record, params = read_record(folder), read_params(folder)
    try:
        with store_errors(store):
            client = connect(store)
            run = client.get_run(run_id)
            present = _ready_model(client, run, record.kept_epoch)
            return present or _log(client, run, model, record, params=params)
    except StoreError as error:
        logger.warning("run %s: model not sent to MLflow; its weights stay in %s: %s", run_id, folder.path, error)
        return None


def set_champion_alias(store: Store, name: str, run_id: str, *, again: bool = True) -> int:
    """Register the run's latest model under `name`, give it the alias `champion`, and return its version.

    Load it with `mlflow.pytorch.load_model("models:/NAME@champion")`. If it is the champion already, nothing changes.

    Args:
        again: Whether a model that was champion once, and no longer is, becomes it again.

    Raises:
        StoreError: The run has no model, or MLflow does not accept it.
    """
    with store_errors(store):
        client = connect(store)
        model_id = _ready_model(client, client.get_run(run_id))
        if model_id is None:
            raise StoreError(f"run {run_id} has no model to register as {name}@{CHAMPION}: it was never logged")
        # MLflow would look up `models:/ID` as source in the process's global store.
        source = client.get_logged_model(model_id).artifact_location
        found = _version_of(client, name, source)
        version = found or _register(client, name, run_id, model_id, source)
        if found and not again:
            return version
        client.set_registered_model_alias(name, CHAMPION, str(version))
        return version


def _log(client: Any, run: Any, model: "nn.Module", record: TrialRecord, *, params: dict[str, str]) -> str:
    from mlflow.entities import LoggedModelOutput

    run_id = run.info.run_id
    logged = client.create_logged_model(
        run.info.experiment_id, name=MODEL_NAME, source_run_id=run_id, params=params, model_type="classifier"
    )
    model_id = str(logged.model_id)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / MODEL_NAME
            _save(model, path, logged)
            client.log_model_artifacts(model_id, str(path))
    except BaseException:
        client.finalize_logged_model(model_id, "FAILED")
        raise
    _tie_metrics(client, run, model_id, record)
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(run_id, models=[LoggedModelOutput(model_id, step=record.kept_epoch)])
    return model_id


def _save(model: "nn.Module", path: Path, logged: Any) -> None:
    with _logging_untouched():
        import mlflow.pytorch
        from mlflow.models import Model

        from trainables.models import own_modules

        for module in own_modules(model):
            mlflow.pytorch.pickle_module.register_pickle_by_value(module)
        description = Model(logged.artifact_location, run_id=logged.source_run_id, model_id=logged.model_id)
        mlflow.pytorch.save_model(
            copy.deepcopy(model).cpu().eval(),
            path=str(path),
            mlflow_model=description,
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in REQUIREMENTS],
            serialization_format="pickle",  # torch.export needs an example input and seconds of tracing.
        )


def _tie_metrics(client: Any, run: Any, model_id: str, record: TrialRecord) -> None:
    """Log the metrics of the model's epoch once more with its id; MLflow keeps a metric of a run once.

    The evaluations' metrics were sent with the number of the last epoch.
    """
    from mlflow.entities import Metric

    evaluated = {safe_name(key) for key in record.evaluation.metrics} if record.evaluation else set()
    metrics = [
        Metric(found.key, found.value, found.timestamp, found.step, model_id=model_id, run_id=run.info.run_id)
        for key in run.data.metrics
        for found in _at(
            client.get_metric_history(run.info.run_id, key),
            record.last_epoch if key in evaluated else record.kept_epoch,
        )
    ]
    for start in range(0, len(metrics), 1000):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + 1000], synchronous=True)


def _at(history: Sequence[Any], step: int) -> Sequence[Any]:
    """Return the last entry of a metric's history that has that step, if there is one."""
    return [entry for entry in history if entry.step == step][-1:]


def _ready_model(client: Any, run: Any, epoch: int | None = None) -> str | None:
    """Return the id of the run's latest model that is complete, of `epoch` if given."""
    outputs = sorted(run.outputs.model_outputs if run.outputs else [], key=lambda output: output.step, reverse=True)
    for output in outputs:
        if epoch in {None, output.step} and str(client.get_logged_model(output.model_id).status) == "READY":
            return str(output.model_id)
    return None


def _version_of(client: Any, name: str, source: str) -> int | None:
    versions = client.search_model_versions(f"name = {json.dumps(name)}")
    return next((int(version.version) for version in versions if version.source == source), None)


def _register(client: Any, name: str, run_id: str, model_id: str, source: str) -> int:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(name, source=source, run_id=run_id, model_id=model_id)
    return int(version.version)


@contextmanager
def _logging_untouched() -> Iterator[None]:
    """Keep MLflow from silencing this process, and from warning against pickle for every trial.

    Importing mlflow.pytorch calls `logging.basicConfig(level=ERROR)`, which would hide every later warning.
    """
    root, mlflow_logger = logging.getLogger(), logging.getLogger("mlflow.pytorch")
    root_level, root_handlers, mlflow_level = root.level, list(root.handlers), mlflow_logger.level
    mlflow_logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(root_level)
        root.handlers[:] = root_handlers
        mlflow_logger.setLevel(mlflow_level)
