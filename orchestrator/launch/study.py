"""Run a study: its trials as a sweep, its evaluations on all of them, and its result."""

import logging
from dataclasses import dataclass
from typing import Any

from orchestrator.files.study import Study, candidate_arm
from orchestrator.files.study_sweep import study_evaluations
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.files.tuning import CandidatesFailedError, ChosenSettings
from orchestrator.launch.evaluation import EvaluationRequest
from orchestrator.launch.evaluation_tasks import evaluate_on_ray
from orchestrator.launch.progress import SuiteProgress
from orchestrator.launch.sweep import SweepOutcome, run_sweep, sync_sweep
from orchestrator.reports.study_table import study_markdown
from orchestrator.results.study_document import StudyDocument
from orchestrator.results.study_result import study_document
from orchestrator.results.trial_rows import sweep_document
from orchestrator.tracking import Store, StoreError, ids_in_mlflow
from trainables.evaluations import direction
from trainables.json_file import write_json, write_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """What a call of `run_study` left."""

    sweep: SweepOutcome
    result: StudyDocument
    document: dict[str, Any]
    """The JSON document of the sweep, with the result under `study`."""
    not_evaluated: dict[str, Exception]
    """Trial id -> why its evaluation failed."""


def run_study(sweep: SweepFolder, store: Store, *, address: str | None = None) -> StudyOutcome:
    """Train what is left of the study's trials, evaluate those that have completed, and write the result.

    The result is `study.json` and `study.md` in the sweep's folder and on its parent run. Finished trials and
    evaluations are not repeated. While trials are left to train, nothing is evaluated, and neither is a study that does
    not read the test images.

    Raises:
        ConfigError: A trial does not fit on the cluster, or another process runs the sweep.
        StoreError: The MLflow store cannot be used when the sweep starts.
    """
    outcome = run_sweep(sweep, store, address=address)
    study = sweep.config().study
    assert study is not None
    failures = {} if outcome.unfinished or outcome.interrupted or not study.reads_test else _evaluate(sweep, address)
    result = study_document(sweep)
    write_text(sweep.path / "study.md", study_markdown(result))
    write_json(sweep.result_path, result)
    try:
        sync_sweep(sweep, store)
    except StoreError as error:
        logger.warning("the study's result is not in MLflow (`campaign sync` sends it): %s", error)
    document = {**sweep_document(sweep, ids_in_mlflow(store, sweep)), "study": result}
    return StudyOutcome(outcome, result, document, failures)


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


def chosen_settings(study: Study, candidates: StudyDocument) -> dict[str, ChosenSettings]:
    """Return which settings each arm of a study takes, from the result of its candidates.

    Raises:
        CandidatesFailedError: All candidates of an arm failed.
    """
    tuning = study.tuning
    assert tuning is not None
    better = direction(tuning.metric)
    assert better is not None, "a study is checked before its candidates are trained"
    figures = {arm["arm"]: arm["figures"].get(tuning.metric) for arm in candidates["arms"]}
    chosen = {}
    for arm, settings in tuning.settings.items():
        found = [figures[candidate_arm(arm, number)] for number in range(1, len(settings) + 1)]
        best = tuning.best([None if figure is None else figure["mean"] for figure in found], direction=better)
        if best is None:
            raise CandidatesFailedError(
                f"study {study.name}: no candidate of arm {arm} has completed with {tuning.metric}; see why with: "
                f"campaign leaderboard {candidates['sweep']}"
            )
        chosen[arm] = best
    return chosen
