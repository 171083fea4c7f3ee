"""Run a study: its trials as a sweep, its evaluations on all of them, and its result."""

import logging
from dataclasses import dataclass
from typing import Any

from orchestrator.files.study_sweep import study_evaluations
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.evaluation import EvaluationRequest
from orchestrator.launch.evaluation_tasks import evaluate_on_ray
from orchestrator.launch.progress import SuiteProgress
from orchestrator.launch.sweep import SweepRun, run_sweep, sync_sweep
from orchestrator.reports.study_table import study_markdown
from orchestrator.results.study_document import StudyDocument
from orchestrator.results.study_result import study_document
from orchestrator.results.trial_rows import sweep_document
from orchestrator.tracking import Store, StoreError, ids_in_mlflow
from trainables.json_file import write_json, write_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StudyRun:
    """What a call of `run_study` left."""

    sweep: SweepRun
    result: StudyDocument
    document: dict[str, Any]
    """The JSON document of the sweep, with the result under `study`."""
    not_evaluated: dict[str, Exception]
    """Trial id -> why its evaluation failed."""


def run_study(sweep: SweepFolder, store: Store, *, address: str | None = None) -> StudyRun:
    """Train what is left of the study's trials, evaluate those that have completed, and write the result.

    The result is `study.json` and `study.md` in the sweep's folder and on its parent run. Finished trials and
    evaluations are not repeated. While trials are left to train, nothing is evaluated.

    Raises:
        ConfigError: A trial does not fit on the cluster, or another process runs the sweep.
        StoreError: The MLflow store cannot be used when the sweep starts.
    """
    run = run_sweep(sweep, store, address=address)
    failures = {} if run.unfinished or run.interrupted else _evaluate(sweep, address)
    result = study_document(sweep)
    write_text(sweep.path / "study.md", study_markdown(result))
    write_json(sweep.result_path, result)
    try:
        sync_sweep(sweep, store)
    except StoreError as error:
        logger.warning("the study's result is not in MLflow (`campaign sync` sends it): %s", error)
    return StudyRun(run, result, {**sweep_document(sweep, ids_in_mlflow(store, sweep)), "study": result}, failures)


def _evaluate(sweep: SweepFolder, address: str | None) -> dict[str, Exception]:
    """Run the study's evaluations on Ray, those of a trial in one task; return those that failed."""
    config = sweep.config()
    assert config.study is not None
    evaluations = study_evaluations(config.study)
    outcomes = {trial_id: sweep.trial(trial_id).outcome() for trial_id in config.study.trials}
    done = [trial_id for trial_id, outcome in outcomes.items() if outcome and outcome.status == "completed"]
    if not done:
        return {}
    requests = [
        EvaluationRequest(sweep.trial(trial_id), {}, evaluations, storage=sweep.storage, by="study")
        for trial_id in done
    ]
    with SuiteProgress() as progress:
        listeners = [progress.listener(trial_id, len(evaluations)) for trial_id in done]
        results = evaluate_on_ray(requests, listeners, address=address)
    return {trial_id: result for trial_id, result in zip(done, results, strict=True) if isinstance(result, Exception)}
