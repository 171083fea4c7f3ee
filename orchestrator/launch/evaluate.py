"""Evaluate several runs at a time on Ray, each in a process of its own."""

import time
from collections.abc import Sequence
from typing import Any

from orchestrator.cluster.capacity import capacity
from orchestrator.cluster.nodes import check_shared
from orchestrator.cluster.session import ray_session
from orchestrator.launch.evaluation import EvaluationOrder, evaluate_run
from trainables.evaluations import Metrics, ProgressListener

POLL_S = 1.0


def evaluate_on_ray(
    orders: Sequence[EvaluationOrder], watches: Sequence[ProgressListener], *, address: str | None
) -> list[Metrics | Exception]:
    """Return the figures of each order, or why it failed; one that fails leaves the others alone.

    Args:
        orders: What to evaluate.
        watches: Told, for each order, how it goes on.
        address: Ray cluster to use; left out, one on this machine.

    Raises:
        ConfigError: Some evaluation does not fit on the cluster, or a node does not see a run's folder.
    """
    with ray_session(address) as nodes:
        for order in orders:
            capacity(_alone(order), nodes)
        if address:
            for folder in {order.folder.path.parent for order in orders}:
                check_shared(folder)
        return _evaluate_all(orders, watches)


def _alone(order: EvaluationOrder) -> Any:
    """Return the resources of one process of the run: an evaluation has a single worker."""
    return order.config().resources.model_copy(update={"workers": 0})


def _evaluate_all(orders: Sequence[EvaluationOrder], watches: Sequence[ProgressListener]) -> list[Metrics | Exception]:
    import ray
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    events = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    task = ray.remote(max_retries=1)(evaluate_run)
    pending = {}
    for index, order in enumerate(orders):
        resources = _alone(order)
        run = task.options(num_cpus=resources.cpus, num_gpus=resources.gpus)
        pending[run.remote(order, _Reporter(events, index))] = index
    results: list[Metrics | Exception] = [RuntimeError("not evaluated")] * len(orders)
    while pending:
        ended, _ = ray.wait(list(pending), timeout=POLL_S)
        for reference in ended:
            results[pending.pop(reference)] = _result(reference)
        for index, event, arguments, named in events.get_nowait_batch(events.qsize()):
            getattr(watches[index], event)(*arguments, **named)
    return results


def _result(reference: Any) -> Metrics | Exception:
    import ray

    try:
        metrics: Metrics = ray.get(reference)
    except ray.exceptions.RayError as error:
        failure: Exception = getattr(error, "cause", None) or error
        return failure
    return metrics


class _Reporter(ProgressListener):
    """Sends what it is told from a Ray task to the driver, ticks once in a while."""

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

    def on_end(self, name: str, seconds: float, *, kept: bool) -> None:
        self._send("on_end", name, seconds, kept=kept)

    def on_skip(self, name: str, reason: str) -> None:
        self._send("on_skip", name, reason)

    def on_fail(self, name: str, reason: str) -> None:
        self._send("on_fail", name, reason)

    def _send(self, event: str, *arguments: object, **named: object) -> None:
        self._events.put((self._index, event, arguments, named))
