"""Evaluate several runs at a time on Ray, each in a process of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.evaluation import EvaluationOrder, evaluate_run
from orchestrator.launch.capacity import capacity
from orchestrator.launch.runtime import ray_session
from trainables.evaluations import Metrics

POLL_S = 1.0


def evaluate_on_ray(
    orders: Sequence[EvaluationOrder], *, address: str | None, on_part: Callable[[Path, str], None]
) -> list[Metrics | Exception]:
    """Return the figures of each order, or why it failed; one that fails leaves the others alone.

    Args:
        address: Ray cluster to use; left out, one on this machine.
        on_part: Told of each part that is finished, by run folder and part.

    Raises:
        ConfigError: Some evaluation does not fit on the cluster.
    """
    with ray_session(address) as available:
        for order in orders:
            capacity(_alone(order), available)
        return _evaluate_all(orders, on_part)


def _alone(order: EvaluationOrder) -> Any:
    """Return the resources of one process of the run: an evaluation has a single worker."""
    return order.config().resources.model_copy(update={"workers": 0})


def _evaluate_all(orders: Sequence[EvaluationOrder], on_part: Callable[[Path, str], None]) -> list[Metrics | Exception]:
    import ray

    task = ray.remote(max_retries=1)(evaluate_run)
    pending = {}
    for index, order in enumerate(orders):
        resources = _alone(order)
        pending[task.options(num_cpus=resources.cpus, num_gpus=resources.gpus).remote(order)] = index
    results: list[Metrics | Exception] = [RuntimeError("not evaluated")] * len(orders)
    seen = _finished_parts(orders)
    while pending:
        ended, _ = ray.wait(list(pending), timeout=POLL_S)
        for path, changed in _finished_parts(orders).items():
            if seen.get(path) != changed:
                on_part(path.parent.parent, path.stem)
                seen[path] = changed
        for reference in ended:
            results[pending.pop(reference)] = _result(reference)
    return results


def _result(reference: Any) -> Metrics | Exception:
    import ray

    try:
        metrics: Metrics = ray.get(reference)
    except ray.exceptions.RayError as error:
        failure: Exception = getattr(error, "cause", None) or error
        return failure
    return metrics


def _finished_parts(orders: Sequence[EvaluationOrder]) -> dict[Path, int]:
    """Return the files of finished parts, with the time they were written."""
    return {path: path.stat().st_mtime_ns for order in orders for path in order.parts_path.glob("*.json")}
