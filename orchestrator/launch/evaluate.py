"""Evaluate runs: each evaluation of the suite is a file, and all of them together are the run's `evaluation.json`."""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from orchestrator.cluster.capacity import capacity
from orchestrator.cluster.nodes import check_shared
from orchestrator.data.index import file_index_in
from orchestrator.files.evaluation_files import EvaluationFiles
from orchestrator.launch.find_run import find_run, run_name
from orchestrator.launch.progress import SuiteProgress
from orchestrator.launch.ray_start import start_ray
from orchestrator.launch.sync import trial_run_of
from orchestrator.tracking import Store, StoreError
from trainables.config import (
    ConfigError,
    ExperimentConfig,
    Resources,
    config_hash,
    experiment_from_tree,
    override,
    parse_assignments,
)
from trainables.data import NO_INDEX, DataBundle, build_data
from trainables.evaluations import QUICK, EvaluationsFailedError, Metrics, ProgressListener, reports, select
from trainables.json_file import read_json, write_json
from trainables.outcome import KEPT_EPOCH, result_row
from trainables.training import LocalContext
from trainables.trial import evaluate, load_model
from trainables.trial_folder import TrialFolder

logger = logging.getLogger(__name__)
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate of a run, and on which data."""

    folder: TrialFolder
    overrides: Mapping[str, Any]
    """Config field -> value, for example another `data.root` or `evaluation.suite.sample`."""
    evaluations: Sequence[str] = QUICK
    again: bool = False
    """Run finished evaluations once more."""
    storage: Path | None = None
    """The storage folder, which holds lists of data sets' files; None lists the files anew."""

    def config(self) -> ExperimentConfig:
        """Return the run's config with the overrides; ConfigError where they do not fit."""
        tree = self.folder.config().model_dump(mode="json")
        return experiment_from_tree(override(tree, self.overrides), source=str(self.folder.path))

    def on_all_cores(self) -> "EvaluationRequest":
        """Return the request for a machine that runs nothing else; a number of cores that it names stays."""
        return replace(self, overrides={"resources.cpus": float(torch.get_num_threads()), **self.overrides})

    @property
    def results_path(self) -> Path:
        """The folder of the evaluations' results; the file next to it, named with `.json`, holds all metrics.

        Data other than the run's own have a folder of their own.
        """
        changed = config_hash(self.config()) != config_hash(self.folder.config())
        return self.folder.path / (f"evaluation-{config_hash(self.config())}" if changed else "evaluation")


def evaluate_run(request: EvaluationRequest, listener: ProgressListener | None = None) -> Metrics:
    """Evaluate the run's network, keep each result as it ends, and return the metrics of the chosen evaluations.

    Raises:
        ConfigError: The overrides or the data do not fit the network.
        FileNotFoundError: The run has no checkpoint yet.
        EvaluationsFailedError: Some evaluations failed; the results of the others are stored.
    """
    config, folder = request.config(), request.folder
    context = LocalContext(folder)
    model = load_model(folder, context.device)
    kept = {key: value for key, value in result_row(folder.rows()).items() if key == KEPT_EPOCH}
    data = build_data(config.data, file_index_in(request.storage) if request.storage else NO_INDEX)
    if len(data.class_names) != model.num_classes:
        raise ConfigError(
            f"{folder.path} has a network of {model.num_classes} classes, and the data have "
            f"{len(data.class_names)}: {', '.join(data.class_names)}"
        )
    store = EvaluationFiles(request.results_path, source=_source(folder, data), settings=config.evaluation.suite)
    if request.again:
        store.forget(request.evaluations)
    failed = None
    try:
        metrics = evaluate(config, context, model, data, request.evaluations, listener=listener, store=store)
    except EvaluationsFailedError as error:
        metrics, failed = error.metrics, error
    path = request.results_path.with_name(f"{request.results_path.name}.json")
    # Metrics that an evaluation reported under other settings must not stay next to its new ones.
    others = {name: value for name, value in (read_json(path) or {}).items() if not reports(request.evaluations, name)}
    write_json(path, others | metrics | kept)
    if failed:
        raise failed
    return metrics


def _source(folder: TrialFolder, data: DataBundle) -> str:
    """Return a digest of the network, the data and the code that evaluates."""
    sets = [data.train, data.val, *data.shift.values()]
    sha, best_path = hashlib.sha256(folder.state_path.read_bytes()), folder.checkpoints.best_path
    if best_path.exists():
        sha.update(best_path.read_bytes())
    sha.update(",".join([version("campaign"), *data.shift, *(images.digest() for images in sets)]).encode())
    return sha.hexdigest()


def push_evaluation(request: EvaluationRequest, store: Store) -> str | None:
    """Send the run's evaluation to its MLflow run; return the run's id.

    None while MLflow does not answer, with a warning. Metrics on data other than the run's own stay in their file, and
    a warning says so.
    """
    folder = request.folder
    if request.results_path.name != "evaluation":
        logger.warning(
            "metrics on data other than the run's own are not sent to MLflow: see %s.json", request.results_path
        )
    try:
        trial_run = trial_run_of(folder, store)
    except StoreError as error:
        logger.warning("the evaluation of %s is not in MLflow (`campaign sync` sends it): %s", folder.path, error)
        return None
    trial_run.push()
    return trial_run.run_id


@dataclass(frozen=True, slots=True)
class RunResult:
    """The metrics of a run's evaluations, or why some failed, or both."""

    run: str
    metrics: Metrics | None
    error: Exception | None
    run_id: str | None
    """The MLflow run that has the metrics."""

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the result."""
        error = {"error": str(self.error)} if self.error else {}
        return {"run": self.run, "run_id": self.run_id, "metrics": self.metrics or {}, **error}


def request_evaluations(
    runs: Sequence[str], suite: str, storage: Path, store: Store, *, assignments: Sequence[str], again: bool
) -> dict[str, EvaluationRequest]:
    """Return what to evaluate by the run's shortest name; ConfigError where a name or the suite is wrong."""
    try:
        evaluations = select(suite)
    except ValueError as error:
        raise ConfigError(f"--suite: {error}") from error
    overrides, place = parse_assignments(assignments), storage.absolute()
    folders = [find_run(run, storage, store) for run in runs]
    if len({folder.path.resolve() for folder in folders}) < len(folders):
        raise ConfigError(f"a run is named twice: {', '.join(runs)}; name each once")
    requests = [EvaluationRequest(folder, overrides, evaluations, again, place) for folder in folders]
    return {run_name(request.folder, storage): request for request in requests}


def evaluate_runs(requests: Mapping[str, EvaluationRequest], store: Store, *, address: str | None) -> list[RunResult]:
    """Evaluate runs, one in this process and several on Ray, show the progress, and send the metrics to MLflow."""
    with SuiteProgress() as progress:
        listeners = [progress.listener(name, len(request.evaluations)) for name, request in requests.items()]
        if len(requests) > 1:
            results = evaluate_on_ray(list(requests.values()), listeners, address=address)
        else:
            results = [_evaluate_here(request, listeners[0]) for request in requests.values()]
    return [_finish(run, requests[run], result, store) for run, result in zip(requests, results, strict=True)]


def _evaluate_here(request: EvaluationRequest, listener: ProgressListener) -> Metrics | Exception:
    try:
        return evaluate_run(request.on_all_cores(), listener)
    except EvaluationsFailedError as error:
        return error


def _finish(run: str, request: EvaluationRequest, result: Metrics | Exception, store: Store) -> RunResult:
    if isinstance(result, Exception):
        error, metrics = result, result.metrics if isinstance(result, EvaluationsFailedError) else None
    else:
        error, metrics = None, result
    return RunResult(run, metrics, error, None if metrics is None else push_evaluation(request, store))


def evaluate_on_ray(
    requests: Sequence[EvaluationRequest], listeners: Sequence[ProgressListener], *, address: str | None
) -> list[Metrics | Exception]:
    """Return the metrics of each request, or why it failed; a failure does not stop the others.

    Args:
        requests: What to evaluate.
        listeners: One for each request; it hears of the request's progress.
        address: Ray cluster to use; left out, one on this machine.

    Raises:
        ConfigError: An evaluation does not fit on the cluster, or a node does not see a run's folder.
    """
    with start_ray(address) as nodes:
        for request in requests:
            capacity(_resources(request), nodes)
        if address:
            for folder in {request.folder.path.parent for request in requests}:
                check_shared(folder)
        return _evaluate_all(requests, listeners)


def _resources(request: EvaluationRequest) -> Resources:
    """Return the resources of an evaluation, which has a single worker."""
    return request.config().resources.model_copy(update={"workers": 0})


def _evaluate_all(
    requests: Sequence[EvaluationRequest], listeners: Sequence[ProgressListener]
) -> list[Metrics | Exception]:
    import ray
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    events = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    task = ray.remote(max_retries=1)(evaluate_run)
    pending = {}
    for index, request in enumerate(requests):
        resources = _resources(request)
        run = task.options(num_cpus=resources.cpus, num_gpus=resources.gpus)
        pending[run.remote(request, _EventSender(events, index))] = index
    results: list[Metrics | Exception] = [RuntimeError("not evaluated")] * len(requests)
    while pending:
        ended, _ = ray.wait(list(pending), timeout=POLL_S)
        for reference in ended:
            results[pending.pop(reference)] = _result(reference)
        for index, event, arguments, named in events.get_nowait_batch(events.qsize()):
            getattr(listeners[index], event)(*arguments, **named)
    return results


def _result(reference: Any) -> Metrics | Exception:
    import ray

    try:
        metrics: Metrics = ray.get(reference)
    except ray.exceptions.RayError as error:
        failure: Exception = getattr(error, "cause", None) or error
        return failure
    return metrics


class _EventSender(ProgressListener):
    """Sends events from a Ray task to the driver, and a tick at most once in `POLL_S`."""

    def __init__(self, events: Any, index: int) -> None:
        self._events = events
        self._index = index
        self._ticked = 0.0

    def on_start(self, name: str) -> None:
        self._send("on_start", name)

    def on_tick(self, done: int, total: int) -> None:
        if time.monotonic() - self._ticked >= POLL_S:
            self._ticked = time.monotonic()
            self._send("on_tick", done, total)

    def on_end(self, name: str, seconds: float, *, stored: bool) -> None:
        self._send("on_end", name, seconds, stored=stored)

    def on_skip(self, name: str, reason: str) -> None:
        self._send("on_skip", name, reason)

    def on_fail(self, name: str, reason: str) -> None:
        self._send("on_fail", name, reason)

    def _send(self, event: str, *arguments: object, **named: object) -> None:
        self._events.put((self._index, event, arguments, named))
