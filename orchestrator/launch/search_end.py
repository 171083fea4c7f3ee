"""When a running search ends before its last trial: its time is over, or a rule is reached."""

import logging
import time
from dataclasses import replace

from orchestrator.files.search_state import limits_of
from orchestrator.files.stop_rule import parse_stop_rule
from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.results.stop_reason import stop_reason
from orchestrator.results.trial_rows import TrialRow, read_row, with_violations

logger = logging.getLogger(__name__)

NOTE_EVERY_S = 10.0
"""How often the time used is written, at most."""


class SearchEnd:
    """The clock and the rules of a sweep; what they find is stored in its folder, for the next driver."""

    def __init__(self, sweep: SweepFolder, config: SweepConfig) -> None:
        self._sweep = sweep
        self._config = config
        self._state = sweep.search_state()
        self._before_s = self._state.seconds
        self._started = time.monotonic()
        self._ended: dict[str, TrialRow] = {}
        """The trials that have ended, by id: each is read once."""

    def is_reached(self) -> bool:
        """Return whether no further trial may start."""
        if not limits_of(self._config):
            return False
        self.note_time()
        if self._state.end_under(self._config) is None and (found := self._find()):
            ended_by, reason = found
            self._state = replace(self._state, ended_by=ended_by, reason=reason)
            self._state.write(self._sweep.search_path)
            logger.warning("no further trial is started: %s: %s", ended_by, reason)
        return self._state.end_under(self._config) is not None

    def note_time(self) -> None:
        """Write how long the sweep has been searching, where that has an end."""
        used_s = self._before_s + time.monotonic() - self._started
        if self._config.time_budget_s is not None and used_s >= self._state.seconds + NOTE_EVERY_S:
            self._state = replace(self._state, seconds=used_s)
            self._state.write(self._sweep.search_path)

    def _find(self) -> tuple[str, str] | None:
        """Return the first limit that is reached, and how."""
        budget_s = self._config.time_budget_s
        if budget_s is not None and self._before_s + time.monotonic() - self._started >= budget_s:
            return limits_of(self._config)[0], "it is used up"
        for text in self._config.stop_when:
            if reason := stop_reason(parse_stop_rule(text), self._rows(), self._config.goals):
                return text, reason
        return None

    def _rows(self) -> list[TrialRow]:
        for trial_id in self._sweep.trial_ids():
            folder = self._sweep.trial(trial_id)
            if trial_id not in self._ended and folder.outcome_path.exists():
                self._ended[trial_id] = read_row(folder, trial_id)
        return with_violations(list(self._ended.values()), self._config.constraints)
