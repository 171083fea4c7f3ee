"""What the driver does when a trial of Tune reports an epoch or ends."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.progress import TrialListener
from orchestrator.launch.trials import SweepContext
from orchestrator.tracking import sync
from trainables.trial_folder import FolderGoneError

logger = logging.getLogger(__name__)


class TrialOutcomeCallback(Callback):
    """Writes each trial's outcome, ends its MLflow run and notifies the listener.

    A thread sends the outcome to MLflow, so that the next trial does not wait; leaving the context waits for it.
    """

    def __init__(self, sweep: SweepFolder, context: SweepContext, listener: TrialListener) -> None:
        self._sweep = sweep
        self._context = context
        self._listener = listener
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._pushes: list[Future[list[str]]] = []

    def __enter__(self) -> "TrialOutcomeCallback":
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown(wait=True)
        for push in self._pushes:
            push.result()

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles its callbacks for a restore, which no sweep uses."""
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        self._listener.on_epoch(_id(trial), int(result["epoch"]), result)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._end(_id(trial), None)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._end(_id(trial), _reason(trial))

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        logger.warning("trial %s failed and is retried: %s", _id(trial), _reason(trial))

    def _end(self, trial_id: str, error: str | None) -> None:
        folder = self._sweep.trial(trial_id)
        try:
            outcome = folder.finish(error)
        except (FolderGoneError, OSError) as failure:  # Without an outcome, the trial counts as unfinished.
            self._listener.on_end(trial_id, f"failed: {f'{error}; ' if error else ''}{failure}")
            return
        trial_run = self._context.trial_run(trial_id, folder.config())
        self._pushes.append(self._thread.submit(sync, [trial_run]))
        self._listener.on_end(trial_id, outcome.status if error is None else f"failed: {error}")


def _id(trial: Trial) -> str:
    return str(trial.config["trial_id"])


def _reason(trial: Trial) -> str:
    """Return the last line of the trial's error file, which names the error's type and message."""
    if not trial.error_file:
        return "no reason given"
    lines = [line for line in Path(trial.error_file).read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"
