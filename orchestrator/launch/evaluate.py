"""Evaluate runs: each evaluation of the suite is a file, and all of them together are the run's `evaluation.json`."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.launch.evaluation import EvaluationRequest, evaluate_run
from orchestrator.launch.evaluation_tasks import evaluate_on_ray
from orchestrator.launch.find_run import find_run, run_name
from orchestrator.launch.progress import SuiteProgress
from orchestrator.launch.sync import trial_run_of
from orchestrator.tracking import Store, StoreError
from trainables.config import ConfigError, parse_assignments
from trainables.evaluations import EvaluationsFailedError, Metrics, ProgressListener, select
from trainables.metric_names import Split

logger = logging.getLogger(__name__)


def push_evaluation(request: EvaluationRequest, store: Store) -> str | None:
    """Send the run's evaluation to its MLflow run; return the run's id.

    None while MLflow does not answer, with a warning. Metrics on data other than the run's own stay in their file, and
    a warning says so.
    """
    folder = request.folder
    if not request.is_of_own_data:
        logger.warning("metrics on data other than the run's own are not sent to MLflow: see %s", request.summary_path)
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
    skipped: Mapping[str, str] = field(default_factory=dict)
    """By evaluation that is not possible, why."""

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the result."""
        error = {"error": str(self.error)} if self.error else {}
        return {"run": self.run, "run_id": self.run_id, "metrics": self.metrics or {}, **error}


def request_evaluations(
    runs: Sequence[str],
    suite: str,
    storage: Path,
    store: Store,
    *,
    assignments: Sequence[str],
    again: bool,
    split: Split | None = None,
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
    requests = [EvaluationRequest(folder, overrides, evaluations, again, place, split) for folder in folders]
    return {run_name(request.folder, storage): request for request in requests}


def evaluate_runs(requests: Mapping[str, EvaluationRequest], store: Store, *, address: str | None) -> list[RunResult]:
    """Evaluate runs, one in this process and several on Ray, show the progress, and send the metrics to MLflow."""
    with SuiteProgress() as progress:
        listeners = [progress.listener(name, len(request.evaluations)) for name, request in requests.items()]
        if len(requests) > 1:
            results = evaluate_on_ray(list(requests.values()), listeners, address=address)
        else:
            results = [_evaluate_here(request, listeners[0]) for request in requests.values()]
    return [
        _finish(run, requests[run], result, store, listener.skipped)
        for run, result, listener in zip(requests, results, listeners, strict=True)
    ]


def _evaluate_here(request: EvaluationRequest, listener: ProgressListener) -> Metrics | Exception:
    try:
        return evaluate_run(request.on_all_cores(), listener)
    except EvaluationsFailedError as error:
        return error


def _finish(
    run: str, request: EvaluationRequest, result: Metrics | Exception, store: Store, skipped: Mapping[str, str]
) -> RunResult:
    if isinstance(result, Exception):
        error, metrics = result, result.metrics if isinstance(result, EvaluationsFailedError) else None
    else:
        error, metrics = None, result
    return RunResult(run, metrics, error, None if metrics is None else push_evaluation(request, store), skipped)
