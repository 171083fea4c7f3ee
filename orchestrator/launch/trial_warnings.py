"""Shows the warnings of trials, which run in other processes, to the user."""

import logging

from trainables.trial_folder import TrialFolder
from trainables.trial_log import warnings_in

logger = logging.getLogger(__name__)


class TrialWarnings:
    """Logs what trials add to their logs, each text once."""

    def __init__(self) -> None:
        self._read: dict[str, int] = {}
        self._shown: set[str] = set()

    def skip_old(self, folder: TrialFolder) -> None:
        """Leave out what is there already, unless this trial is known."""
        if folder.path.name not in self._read:
            _, self._read[folder.path.name] = warnings_in(folder.log_path)

    def show(self, folder: TrialFolder) -> None:
        """Log the warnings that are new."""
        trial_id = folder.path.name
        found, self._read[trial_id] = warnings_in(folder.log_path, self._read.get(trial_id, 0))
        for text in found:
            if text not in self._shown:
                self._shown.add(text)
                logger.warning("trial %s: %s", trial_id, text)
