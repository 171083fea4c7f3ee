"""What to do while MLflow does not answer: ask briefly, warn once, and ask again later."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's own defaults (120 s, 7 retries) would stall training for minutes; a later push is the retry.

No request is repeated unseen either, so that a slow `create run` cannot make two runs. Standard output is the
commands' own, and MLflow would print a link there at the end of each run.
"""


@contextmanager
def client_settings() -> Iterator[None]:
    """Within this context MLflow's client gives up soon and prints nothing; what the user set stays as it is."""
    added = {name: value for name, value in CLIENT_SETTINGS.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


class Outage:
    """The memory of one trial's failed pushes: one warning an outage, and a growing pause between attempts."""

    def __init__(self, *, first_wait_s: float = 5.0, longest_wait_s: float = 300.0) -> None:
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._failures = 0
        self._next_attempt_s = 0.0

    @property
    def ongoing(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    @property
    def pausing(self) -> bool:
        """Whether it is too early for another attempt."""
        return self.ongoing and time.monotonic() < self._next_attempt_s

    def failed(self, what: str, error: Exception) -> None:
        """Note a failed attempt at `what`; only the first of an outage is a warning."""
        level = logging.DEBUG if self.ongoing else logging.WARNING
        logger.log(level, "%s: not sent to MLflow: %s", what, error)
        wait_s = min(self._first_wait_s * 2**self._failures, self._longest_wait_s)
        self._failures += 1
        self._next_attempt_s = time.monotonic() + wait_s

    def succeeded(self, what: str) -> None:
        """Note a successful attempt, which ends an outage."""
        if self.ongoing:
            logger.info("%s: MLflow has everything again", what)
        self._failures = 0
