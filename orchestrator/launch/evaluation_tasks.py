"""Evaluations of several runs side by side, as Ray tasks."""

import time
from collections.abc import Sequence
from typing import Any

from orchestrator.cluster.capacity import capacity
from orchestrator.cluster.nodes import check_shared
from orchestrator.launch.evaluation import EvaluationRequest, evaluate_run
from orchestrator.launch.ray_start import start_ray
from trainables.config import Resources
from trainables.evaluations import Metrics, ProgressListener

POLL_S = 1.0


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
