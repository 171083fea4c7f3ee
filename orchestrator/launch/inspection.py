"""Look inside runs: run the parts of the suite `inside` that are missing, and draw a page of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.files.evaluation_files import read_evaluations
from orchestrator.launch.evaluate import RunResult, evaluate_runs
from orchestrator.launch.evaluation import EvaluationRequest
from orchestrator.reports.inspection.page import InspectedRun, write_inspection
from orchestrator.results.evaluated import EvaluatedRun, read_run
from orchestrator.results.trial_rows import TrialRow
from orchestrator.tracking import Store, send_page
from trainables.evaluations import EvaluationsFailedError
from trainables.json_file import finite


def inspect_runs(
    requests: Mapping[str, EvaluationRequest], store: Store, *, command: str, output: Path
) -> list[RunResult]:
    """Evaluate the runs one after the other in this process, write their page, and send it to their MLflow runs.

    Args:
        requests: What to evaluate, by the runs' names.
        store: Has the runs.
        command: The command line that makes the page.
        output: The page's file.
    """
    results = [found for run in requests for found in evaluate_runs({run: requests[run]}, store, address=None)]
    inspected = [_inspected(requests[result.run], result) for result in results]
    write_inspection(inspected, command=command, path=output)
    for result in results:
        if result.run_id and requests[result.run].is_of_own_data:
            send_page(store, result.run_id, output, _name_in_mlflow(list(requests)))
    return results


def _inspected(request: EvaluationRequest, result: RunResult) -> InspectedRun:
    """Return the run with the evaluations that ended now or before, and why others are missing."""
    error = result.error
    failed = error.failures if isinstance(error, EvaluationsFailedError) else {}
    missing = {**result.skipped, **{name: f"it failed with {reason}" for name, reason in failed.items()}}
    run = read_run(request.folder, result.run)
    evaluations = {found.name: found for found in read_evaluations(request.results_path)}
    return InspectedRun(
        EvaluatedRun(
            row=TrialRow({**run.row, "metrics": finite(result.metrics or {})}),
            evaluations={name: evaluations[name] for name in request.evaluations if name not in missing},
            data=run.data,
        ),
        missing,
    )


def _name_in_mlflow(runs: Sequence[str]) -> str:
    return f"{'-vs-'.join(['inspection', *runs[1:]]).replace('/', '-')}.html"
