"""What Ray Train's controller does about workers that fail or hang."""

import time
from typing import Any

from ray.train.v2._internal.execution.callback import ReportCallback, WorkerGroupCallback
from ray.train.v2.api.callback import UserCallback

from orchestrator.launch.trial_clock import no_report


class RaiseFinalErrors(UserCallback):
    """Ends the training at once by an error of `kinds`, which Ray Train's own `max_failures` would try again."""

    def __init__(self, kinds: tuple[type[Exception], ...]) -> None:
        self._kinds = kinds

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:  # noqa: ARG002
        for error in worker_exceptions.values():
            if isinstance(error, self._kinds):
                raise error


class EndHungWorkers(WorkerGroupCallback, ReportCallback):
    """Ends the training, and with it the workers, when they have reported nothing for `timeout_s` seconds.

    Time in which workers wait for a place on the cluster does not count.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._reported_s = time.monotonic()

    def after_worker_group_training_start(self, worker_group: Any) -> None:  # noqa: ARG002
        self._reported_s = time.monotonic()

    def after_report(self, training_report: Any, metrics: list[dict[str, Any]]) -> None:  # noqa: ARG002
        self._reported_s = time.monotonic()

    def after_worker_group_poll_status(self, worker_group_status: Any) -> None:  # noqa: ARG002
        if time.monotonic() - self._reported_s > self._timeout_s:
            raise TimeoutError(no_report(self._timeout_s))
