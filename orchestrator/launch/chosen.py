"""The chosen trials of a sweep on the test images, which nothing before its end reads."""

import logging

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.evaluation import EvaluationRequest, evaluate_run, is_tested
from orchestrator.launch.evaluation_tasks import evaluate_on_ray
from orchestrator.results.trial_rows import best, trial_rows
from trainables.config import ConfigError
from trainables.data import ImageError
from trainables.evaluations import EvaluationsFailedError, Metrics, ProgressListener
from trainables.json_file import BrokenFileError

logger = logging.getLogger(__name__)

CANNOT_EVALUATE = (BrokenFileError, ConfigError, EvaluationsFailedError, ImageError, MemoryError, OSError)
"""What an evaluation in this process raises for a trial that cannot be evaluated."""


def evaluate_chosen(sweep: SweepFolder, *, address: str | None) -> list[str]:
    """Evaluate the best trial, or the Pareto front, on the test images, once the sweep has ended.

    Without a cluster it runs in this process. Trials that were evaluated before are left out, and so is a study, which
    evaluates all of its trials. A trial that cannot be evaluated is a warning.

    Returns:
        The ids of the trials that were evaluated.

    Raises:
        ConfigError: An evaluation does not fit on the cluster.
    """
    config = sweep.config()
    if config.study is not None or sweep.num_left(config):
        return []
    chosen = [row["trial_id"] for row in best(trial_rows(sweep, {}), config.goals)]
    requests = {
        trial_id: EvaluationRequest(sweep.trial(trial_id), {}, storage=sweep.storage, by="sweep")
        for trial_id in chosen
        if not is_tested(sweep.trial(trial_id))
    }
    if address and requests:
        listeners = [ProgressListener() for _ in requests]
        results = evaluate_on_ray(list(requests.values()), listeners, address=address)
    else:
        results = [_evaluate_here(request) for request in requests.values()]
    return [trial_id for trial_id, result in zip(requests, results, strict=True) if _is_done(sweep, trial_id, result)]


def _evaluate_here(request: EvaluationRequest) -> Metrics | Exception:
    try:
        return evaluate_run(request.on_all_cores())
    except CANNOT_EVALUATE as error:
        return error


def _is_done(sweep: SweepFolder, trial_id: str, result: Metrics | Exception) -> bool:
    """Return whether the result is metrics; where it is an error, a warning names it."""
    if isinstance(result, Exception):
        name = f"{sweep.path.name}/{trial_id}"
        logger.warning("%s is not evaluated on the test images: %s; try: campaign evaluate %s", name, result, name)
    return not isinstance(result, Exception)
