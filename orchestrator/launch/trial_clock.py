"""Which trials have reported nothing for too long."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.files.text import format_seconds

START_TIMEOUT_S = 1800.0
"""The longest that a trial's process may take until the trial begins; then it reads its data, which may take longer."""


def no_report(timeout_s: float) -> str:
    """Say why a trial was ended."""
    return f"no report for {format_seconds(timeout_s)} (--trial-timeout)"


@dataclass
class TrialClock:
    """Hears what each running trial does, and names those that are overdue."""

    timeout_s: float | None
    """Seconds from one report to the next; None sets no limit."""
    now: Callable[[], float] = time.monotonic
    _starting: dict[str, float] = field(default_factory=dict)
    _running: dict[str, float] = field(default_factory=dict)

    def on_start(self, trial_id: str) -> None:
        """Note that the trial's process is there."""
        self._starting[trial_id] = self.now()

    def on_report(self, trial_id: str) -> None:
        """Note a sign of life."""
        self._starting.pop(trial_id, None)
        self._running[trial_id] = self.now()

    def on_end(self, trial_id: str) -> None:
        """Note that the trial runs no more."""
        self._starting.pop(trial_id, None)
        self._running.pop(trial_id, None)

    def overdue(self) -> dict[str, str]:
        """Return trial id -> what is wrong with it."""
        late = {
            trial_id: f"not begun within {format_seconds(START_TIMEOUT_S)} of the start of its process"
            for trial_id, since in self._starting.items()
            if self.now() - since > START_TIMEOUT_S
        }
        if self.timeout_s is not None:
            reason = no_report(self.timeout_s)
            limit = self.now() - self.timeout_s
            late |= {trial_id: reason for trial_id, reported in self._running.items() if reported < limit}
        return late
