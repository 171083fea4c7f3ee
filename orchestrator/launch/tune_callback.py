"""What the driver does when a trial of Tune reports an epoch or ends."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial

from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.progress import TrialListener
from orchestrator.launch.trial_clock import TrialClock
from orchestrator.launch.trial_warnings import TrialWarnings
from orchestrator.launch.trials import IS_FINAL, SweepContext
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
        self._warnings = TrialWarnings()
        self._clock = TrialClock(context.process_timeout_s)
        self._killed: dict[str, str] = {}
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

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._warnings.skip_old(self._sweep.trial(_id(trial)))
        self._clock.on_start(_id(trial))

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        if late := self._clock.overdue():
            for trial in trials:
                if _id(trial) in late:
                    self._end_overdue(trial, late[_id(trial)])

    def _end_overdue(self, trial: Trial, reason: str) -> None:
        """Kill the trial's process; Tune then tries the trial again."""
        self._clock.on_end(_id(trial))
        self._killed[_id(trial)] = reason
        ray.kill(trial.temporary_state.ray_actor)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        self._clock.on_report(_id(trial))
        if result.get(IS_FINAL):
            trial.max_failures = 0  # Tune asks the trial, as it fails, whether to try it again.
        if "epoch" in result:
            self._listener.on_epoch(_id(trial), int(result["epoch"]), result)
        self._warnings.show(self._sweep.trial(_id(trial)))

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._end(_id(trial), None)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._end(_id(trial), self._reason(trial))

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._clock.on_end(_id(trial))
        logger.warning("trial %s failed and is retried: %s", _id(trial), self._reason(trial))

    def _reason(self, trial: Trial) -> str:
        return self._killed.pop(_id(trial), None) or _last_line(trial)

    def _end(self, trial_id: str, error: str | None) -> None:
        folder = self._sweep.trial(trial_id)
        self._clock.on_end(trial_id)
        self._warnings.show(folder)
        try:
            outcome = folder.finish(error)
        except (FolderGoneError, OSError) as failure:  # Without an outcome, the trial counts as unfinished.
            before = f"{error}; " if error and not isinstance(failure, FolderGoneError) else ""
            self._listener.on_end(trial_id, f"failed: {before}{failure}")
            return
        trial_run = self._context.trial_run(trial_id, folder.config())
        self._pushes.append(self._thread.submit(sync, [trial_run]))
        why = f"failed: {error}" + (f" (see {folder.log_path})" if folder.log_path.exists() else "")
        ended = outcome.status if outcome.reason is None else f"{outcome.status}: {outcome.reason}"
        self._listener.on_end(trial_id, ended if error is None else why)


def _id(trial: Trial) -> str:
    return str(trial.config["trial_id"])


def _last_line(trial: Trial) -> str:
    """Return the last line of the trial's error file, which names the error's type and message."""
    if not trial.error_file:
        return "no reason given"
    lines = [line for line in Path(trial.error_file).read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"
